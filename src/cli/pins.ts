import type { Audit } from '../audit/audit.ts';
import type { Directory } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { AccountState } from '../provisioning/provision.ts';
import { liftPin } from '../review/lift-pin.ts';
import { isAsked } from '../review/review-rows.ts';
import type { Io } from './io.ts';
import { onePerson } from './one-person.ts';
import { printable, tableLines, timeText } from './table.ts';

const OPERATOR = 'operator';

export interface PinsDeps extends Pick<Directory, 'people' | 'accounts' | 'pins' | 'retries'> {
  readonly audit: Audit;
  readonly clock: Clock;
  /** Names of the config. */
  readonly targets: readonly string[];
}

export interface PinsLiftDeps extends PinsDeps {
  readonly again: (person: string, target: string, actor: string, requestId: string) => Promise<AccountState>;
}

interface PinsOptions {
  readonly target?: string;
  readonly user?: string;
  readonly json?: boolean;
}

/**
 * `latchgate pins list`: what operators have decided about single grants, by which review. Exit code 0. With `json` one
 * object a line: `person`, `target`, `kind`, `name`, `scope`, `effect`, `by`, `reason`, `at`; what is not there is null.
 */
export async function pinsList(options: PinsOptions, deps: PinsDeps, io: Io): Promise<number> {
  const person = options.user === undefined ? undefined : await onePerson(deps, options.user, { partial: true });
  const rows: (string | undefined)[][] = [];
  for (const target of options.target === undefined ? deps.targets : [options.target]) {
    for await (const page of deps.pins.ofTarget(target, person === undefined ? undefined : [person.id])) {
      for (const pin of page) {
        const { person: id, kind, name, scope, effect, by, reason, at } = pin;
        if (options.json === true) {
          const more = { scope: scope ?? null, effect, by, reason: reason ?? null, at };
          io.out(JSON.stringify({ person: id, target, kind, name, ...more }));
          continue;
        }
        const who = await deps.people.get(id);
        rows.push([who?.displayName, id, target, entitlementKey(pin), effect, by, timeText(at), reason]);
      }
    }
  }
  const head = ['NAME', 'PERSON', 'TARGET', 'ENTITLEMENT', 'EFFECT', 'BY', 'SINCE', 'REASON'];
  if (options.json !== true) for (const line of tableLines(head, rows)) io.out(line);
  return 0;
}

/**
 * `latchgate pins lift --user U --target T --entitlement E`: from now on the rules alone decide again, at once. Exit code 0,
 * or 1 when the target could not be reached: it is tried again in the background. Throws `not_found`, `usage`.
 */
export async function pinsLift(
  options: PinsOptions & { readonly entitlement?: string },
  deps: PinsLiftDeps,
  io: Io,
): Promise<number> {
  const { user, target, entitlement } = options;
  if (user === undefined || target === undefined || entitlement === undefined) {
    throw new LatchgateError('usage', 'pins lift takes --user U, --target T and --entitlement E');
  }
  const person = await onePerson(deps, user, { partial: false });
  const fitting = (await deps.pins.ofAccount(person.id, target)).filter((pin) => isAsked(pin, entitlement));
  const [pin, ...more] = fitting;
  if (pin === undefined) {
    throw new LatchgateError('not_found', `${printable(entitlement)} is not pinned for ${person.id} in ${target}`);
  }
  if (more.length > 0) {
    throw new LatchgateError('usage', `several fit: ${fitting.map((one) => entitlementKey(one)).join(', ')}`);
  }
  const requestId = newRequestId();
  const { by } = pin;
  const key = entitlementKey(pin);
  const state = await liftPin(pin, { actor: OPERATOR, requestId }, deps);
  const failed = state.status === 'failed' ? state.code : null;
  if (options.json === true) io.out(JSON.stringify({ person: person.id, target, lifted: key, by, failed }));
  else {
    io.out(`${printable(person.displayName)} (${person.id}): ${key} in ${target} is for the rules to decide again`);
    if (failed !== null) io.err(`${target}: not done yet (${failed}); it is tried again in the background`);
  }
  return failed === null ? 0 : 1;
}
