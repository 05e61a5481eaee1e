import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditEntry } from '../audit/audit.ts';
import type { Database } from '../directory/database.ts';
import { type LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { inSpan } from '../ops/tracing.ts';
import { type Answer, challengeFor, failureAnswer, sendAnswer } from './answer.ts';
import { ScimApi } from './api.ts';
import { Authentication, type AuthenticationDeps } from './authentication.ts';
import type { Call } from './call.ts';
import type { Coming, Foreseen } from './existing.ts';
import { Lookups } from './lookups.ts';
import { parametersOf } from './protocol/query.ts';
import { isTold, type Push } from './push.ts';
import type { Pushes } from './pushes.ts';
import { readJson } from './request-body.ts';
import type { CarryOut } from './resources.ts';
import type { ScimConfig } from './schema.ts';
import { settleWithin, type Together } from './settle.ts';
import { type NotIn, notInYet, takeUpRepeated } from './standing.ts';
import { setOwed } from './store/owed.ts';

export interface ScimServerDeps extends AuthenticationDeps {
  readonly config: ScimConfig;
  readonly publicUrl: string;
  readonly database: Database;
  readonly together: Together;
  readonly pushes: Pushes;
  /** Throws `scim_account_exists` for a user whose account in a target would be somebody else's. */
  readonly refuseTaken: (call: Call, coming: Coming) => Promise<Foreseen | undefined>;
  readonly metrics: Pick<Metrics, 'scim' | 'refused'>;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
}

/** Users of whom the directory is told in the transaction of the push itself. */
const MOST_AT_ONCE = 10;

export const WELL_KNOWN = '/.well-known/scim-configuration';

/** Serves the API on the public listener: whoever it is is settled before anything of the address is looked at. */
export class ScimServer {
  readonly #deps: ScimServerDeps;
  readonly #authentication: Authentication;
  readonly #api: ScimApi;
  readonly #base: string;

  constructor(deps: ScimServerDeps) {
    this.#deps = deps;
    this.#authentication = new Authentication(deps);
    const { config, publicUrl, database } = deps;
    this.#base = `${publicUrl}${config.path}`;
    this.#api = new ScimApi({
      base: this.#base,
      limits: { results: config.max_results, bulkOperations: config.max_operations, bodyBytes: config.max_body },
      lookups: new Lookups(database, this.#base),
      pushOf: (call) => this.#pushOf(call),
      carryOut: (call, pushed) => this.#carryOut(call, pushed),
      owe: (table, { client: { name: client } }, id, isOwed) =>
        database.run((db) => setOwed(db, table, { client, id }, isOwed)),
    });
  }

  /** `path` is normalised: decoded, without dot-segments; `req.url` has the query. Never throws. */
  async handle(req: IncomingMessage, res: ServerResponse, requestId: string, path: string): Promise<void> {
    const gone = new AbortController();
    const startedAt = performance.now();
    // What has been answered is nobody's any more, and to abort costs as much as a row.
    res.once('close', () => {
      if (!res.writableFinished) gone.abort();
    });
    let client = '-';
    let answer: Answer;
    try {
      const who = await this.#authentication.client(req);
      client = who.name;
      const call = { client: who, requestId, signal: gone.signal };
      answer = await inSpan('scim', { 'latchgate.client': client }, () => this.#answer(req, call, path));
    } catch (thrown) {
      answer = this.#refused(req, toLatchgateError(thrown), requestId);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    this.#count({ client, path, answer, requestId, method: req.method ?? '', seconds });
    if (res.destroyed) return;
    if (!req.complete) res.setHeader('Connection', 'close');
    sendAnswer(res, answer, requestId);
    req.resume();
  }

  async #answer(
    req: IncomingMessage,
    known: Pick<Call, 'client' | 'requestId' | 'signal'>,
    path: string,
  ): Promise<Answer> {
    const { config } = this.#deps;
    const { search } = new URL(req.url ?? '/', this.#base);
    const query = parametersOf(search);
    const isWellKnown = path === WELL_KNOWN;
    const below = isWellKnown ? '/ServiceProviderConfig' : path.slice(config.path.length);
    const segments = below.replace(/\/$/, '').split('/').slice(1);
    const json = (): Promise<unknown> => readJson(req, config.max_body);
    const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = req.headers;
    return this.#api.answer({ ...known, method: req.method ?? '', segments, query, json, ifMatch, ifNoneMatch });
  }

  #refused(req: IncomingMessage, error: LatchgateError, requestId: string): Answer {
    const { metrics, log } = this.#deps;
    metrics.refused(error.code);
    log[error.status >= 500 ? 'warn' : 'info']('a SCIM request is refused', { requestId, code: error.code });
    const failure = failureAnswer(error);
    return error.status === 401
      ? { ...failure, challenge: challengeFor(req.headers.authorization !== undefined) }
      : failure;
  }

  #count({ client, path, answer, requestId, method, seconds }: Counted): void {
    const { metrics, log, config } = this.#deps;
    const [, first = ''] = path.startsWith(config.path) ? path.slice(config.path.length).split('/') : [];
    metrics.scim(client, KINDS[first] ?? 'other', outcomeOf(answer.status), seconds);
    if (answer.status >= 500) log.warn('a SCIM request failed', { requestId, client, method, status: answer.status });
  }

  #pushOf(call: Call): Push {
    const { together, clock, refuseTaken, pushes } = this.#deps;
    const { client, requestId, ifMatch } = call;
    const complete = (entry: Omit<AuditEntry, 'actor' | 'origin' | 'requestId'>): AuditEntry => ({
      ...entry,
      actor: `scim:${client.name}`,
      origin: client.name,
      requestId,
    });
    return {
      client,
      ifMatch,
      now: () => clock.now(),
      write: (work) =>
        together(async ({ database, directory, audit }) => {
          const entries: AuditEntry[] = [];
          const lock = database.engine === 'postgres';
          const note: Parameters<typeof work>[0]['note'] = (entry) => entries.push(complete(entry));
          // Of many, and of one operation among several, the directory is told afterwards.
          const tells = call.later === undefined;
          const pushed = await database.run((db) => work({ db, note, lock, tells }));
          const { users, made } = pushed;
          const isSmall = users.length > 0 && users.length <= MOST_AT_ONCE;
          const told =
            tells && isSmall
              ? await settleWithin(pushes.deps, { database, directory }, client, users, requestId, made)
              : undefined;
          // The last thing: every instance waits here for every other.
          const all = [...entries, ...(told?.entries ?? [])];
          if (all.length > 0) await audit.append(all);
          return told === undefined ? pushed : { ...pushed, settled: told.settled };
        }),
      read: (work) => this.#deps.database.run(work),
      beforeUser: (coming) => refuseTaken(call, coming),
    };
  }

  async #carryOut(call: Call, pushed: Parameters<CarryOut>[1]): Promise<NotIn | undefined> {
    const { pushes, database } = this.#deps;
    const { client, requestId } = call;
    if (!isTold(call)) {
      await pushes.carryOut(client, pushed.users, requestId, pushed.settled);
      return undefined;
    }
    const repeated = await takeUpRepeated(database, client, pushed);
    const settled = repeated.length === 0 ? pushed.settled : undefined;
    const carried = await pushes.carryOut(client, [...pushed.users, ...repeated], requestId, settled);
    return notInYet(database, client, pushed, carried);
  }
}

interface Counted {
  readonly client: string;
  readonly path: string;
  readonly answer: Answer;
  readonly requestId: string;
  readonly method: string;
  readonly seconds: number;
}

const KINDS: Readonly<Record<string, string | undefined>> = Object.assign(Object.create(null), {
  Users: 'User',
  Groups: 'Group',
  Bulk: 'Bulk',
  ServiceProviderConfig: 'discovery',
  ResourceTypes: 'discovery',
  Schemas: 'discovery',
});

function outcomeOf(status: number): string {
  if (status < 400) return 'ok';
  return status < 500 ? 'refused' : 'failed';
}
