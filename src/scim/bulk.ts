import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import {
  type BulkOperation,
  type BulkResult,
  bulkResponse,
  readBulk,
  refusedResult,
  withReferences,
} from './protocol/bulk.ts';
import { type ErrorBody, ScimError } from './protocol/error.ts';
import type { CarryOut } from './resources.ts';

export interface BulkParts {
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
    const users = new Set<string>();
    const later = (some: readonly string[]): void => {
      for (const id of some) users.add(id);
    };
    const results: BulkResult[] = [];
    let errors = 0;
    for (const operation of operations) {
      if (failOnErrors !== undefined && errors >= failOnErrors) break;
      const result =
        'error' in operation ? refusedResult(operation) : await this.#operation({ ...call, later }, operation, ids);
      if (result.status >= 400) errors += 1;
      results.push(result);
    }
    await this.#parts.carryOut(call, { users: [...users] });
    return { status: 200, body: bulkResponse(results) };
  }

  async #operation(call: Call, operation: BulkOperation, ids: Map<string, string>): Promise<BulkResult> {
    const { index, method, bulkId } = operation;
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
      });
      const { status, location, etag, body } = answer;
      if (status >= 400) return { index, method, bulkId, status, location, response: body as ErrorBody };
      if (method === 'POST' && bulkId !== undefined) ids.set(bulkId, String((body as { id?: unknown }).id));
      return { index, method, bulkId, status, location, version: etag };
    } catch (thrown) {
      if (thrown instanceof ScimError) return refusedResult({ index, method, bulkId, error: thrown });
      throw thrown;
    }
  }
}
