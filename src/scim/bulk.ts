import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LatchgateError } from '../model/errors.ts';
import type { Answer } from './answer.ts';
import type { Call, Said } from './call.ts';
import {
  type BulkOperation,
  type BulkResult,
  bulkResponse,
  readBulk,
  refusedResult,
  withReferences,
} from './protocol/bulk.ts';
import { type ErrorBody, errorBody, ScimError } from './protocol/error.ts';
import { locationOf } from './protocol/resource.ts';
import type { CarryOut } from './resources.ts';
import type { About } from './standing.ts';

export interface BulkParts {
  /** Address of the API, without a slash at its end. */
  readonly base: string;
  readonly maxOperations: number;
  readonly carryOut: CarryOut;
  /** One operation, by the way that every request goes. */
  readonly answer: (call: Call) => Promise<Answer>;
}

/** Several operations in one request, each by itself (RFC 7644 §3.7). */
export class Bulk {
  readonly #parts: BulkParts;

  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /** Throws ScimError for the request as a whole. */
  async run(call: Call): Promise<Answer> {
    const { failOnErrors, operations } = readBulk(await call.json(), { operations: this.#parts.maxOperations });
    const ids = new Map<string, string>();
    const said = new Map<BulkResult, Said>();
    const results: BulkResult[] = [];
    let errors = 0;
    for (const operation of operations) {
      if (failOnErrors !== undefined && errors >= failOnErrors) break;
      const result =
        'error' in operation ? refusedResult(operation) : await this.#operation(call, operation, ids, said);
      if (result.status >= 400) errors += 1;
      results.push(result);
      // On an embedded database nothing else waits for anything: others get their turn in between.
      await nextTurn();
    }
    return { status: 200, body: bulkResponse(await this.#carriedOut(call, results, said)) };
  }

  /** What is not in every target is told of the operations that said it, where the client is to try those again. */
  async #carriedOut(
    call: Call,
    results: readonly BulkResult[],
    said: ReadonlyMap<BulkResult, Said>,
  ): Promise<readonly BulkResult[]> {
    const notIn = await this.#parts.carryOut(call, together([...said.values()]));
    const told: BulkResult[] = [];
    for (const result of results) {
      const what = said.get(result);
      const isIn = what === undefined || notIn === undefined || !notIn.concerns(what);
      if (!isIn || what?.isOwed === true) await what?.owing?.(!isIn);
      const { index, method, bulkId, location } = result;
      const failure = notIn?.error as LatchgateError;
      told.push(
        isIn ? result : { index, method, bulkId, location, status: failure.status, response: errorBody(failure) },
      );
    }
    return told;
  }

  async #operation(
    call: Call,
    operation: BulkOperation,
    ids: Map<string, string>,
    all: Map<BulkResult, Said>,
  ): Promise<BulkResult> {
    const { index, method, bulkId } = operation;
    let said: Said = { users: [] };
    try {
      const { type, id, data, version } = withReferences(operation, ids);
      const endpoint = type.endpoint.slice(1);
      const answer = await this.#parts.answer({
        ...call,
        method,
        segments: id === undefined ? [endpoint] : [endpoint, id],
        query: new URLSearchParams(),
        json: async () => data,
        ifMatch: version,
        ifNoneMatch: undefined,
        later: (what) => {
          said = what;
        },
      });
      const { status, etag, body } = answer;
      // Said of failures and of what is gone, too, except where nothing was made (RFC 7644 §3.7).
      const location = answer.location ?? (id === undefined ? undefined : locationOf(this.#parts.base, type, id));
      if (status >= 400) return { index, method, bulkId, status, location, response: body as ErrorBody };
      if (method === 'POST' && bulkId !== undefined) ids.set(bulkId, String((body as { id?: unknown }).id));
      const result = { index, method, bulkId, status, location, version: etag };
      all.set(result, said);
      return result;
    } catch (thrown) {
      if (thrown instanceof ScimError) return refusedResult({ index, method, bulkId, error: thrown });
      throw thrown;
    }
  }
}

function together(all: readonly About[]): About {
  return {
    users: [...new Set(all.flatMap(({ users }) => users))],
    repeats: [...new Set(all.flatMap(({ repeats = [] }) => repeats))],
    repeatsAny: all.some(({ repeatsAny }) => repeatsAny === true),
  };
}
