import type { Audit } from '../audit/audit.ts';
import type { Directory, Person } from '../directory/directory.ts';
import type { Decision } from '../model/desired.ts';
import type { LatchgateError } from '../model/errors.ts';
import type { Assertion } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { AccountState, Occasion } from './provision.ts';

const EVENTS = {
  login: { allowed: 'login.allowed', refused: 'login.refused' },
  refresh: { allowed: 'session.renewed', refused: 'session.refused' },
} as const satisfies Record<Occasion, unknown>;

export interface Heard {
  readonly occasion: Occasion;
  readonly requestId: string;
  readonly assertion: Assertion;
  readonly person: Person | undefined;
  readonly decision: Decision | undefined;
}

interface RecordDeps {
  readonly directory: Pick<Directory, 'decisions'>;
  readonly audit: Pick<Audit, 'append'>;
  readonly clock: Clock;
}

/** For `why ID` and the audit. */
export async function recordRefusal(
  { directory, audit, clock }: RecordDeps,
  { occasion, requestId, assertion, person, decision }: Heard,
  error: LatchgateError,
  awaited?: AccountState,
): Promise<void> {
  const { origin } = assertion;
  const held = awaited !== undefined && 'held' in awaited ? awaited.held : [];
  const target = String(error.detail['target'] ?? '');
  const who = person === undefined ? {} : { person: person.id };
  await directory.decisions.save({
    requestId,
    at: new Date(clock.now()),
    origin,
    ...who,
    outcome: error.retryable ? 'error' : 'deny',
    code: error.code,
    message: error.publicMessage ?? error.message,
    ...(decision === undefined ? {} : { trace: decision.trace }),
    ...(held.length === 0 ? {} : { held: held.map((change) => ({ ...change, target })) }),
    detail: error.detail,
  });
  const event = EVENTS[occasion].refused;
  const { owner } = error.detail;
  const about = owner === undefined ? {} : { before: { owner } };
  const facts = { ...who, origin, code: error.code, requestId, ...about };
  await audit.append([{ event, actor: person?.id ?? 'unknown', ...facts }]);
}

/** The same for somebody who gets in. `target`: the one that was waited for. */
export async function recordAllowed(
  { directory, audit, clock }: RecordDeps,
  { occasion, requestId, assertion, person, decision }: Heard & { person: Person; decision: Decision },
  target: string | undefined,
  awaited: AccountState | undefined,
): Promise<void> {
  const { origin } = assertion;
  const isReady = awaited?.status === 'ready';
  const held = isReady ? awaited.held.map((change) => ({ ...change, target: target ?? '' })) : [];
  const where = target === undefined ? {} : { target };
  await directory.decisions.save({
    requestId,
    at: new Date(clock.now()),
    origin,
    person: person.id,
    outcome: 'allow',
    trace: decision.trace,
    ...(held.length === 0 ? {} : { held }),
    ...(isReady && awaited.degraded !== undefined ? { code: awaited.degraded } : {}),
    detail: where,
  });
  const event = EVENTS[occasion].allowed;
  await audit.append([{ event, actor: person.id, person: person.id, origin, requestId, ...where }]);
}
