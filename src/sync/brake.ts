import type { Brake, PlannedChange } from './sync.ts';

/** `safety.stop_if`: what is exceeded first counts. */
export interface StopIf {
  readonly removals: { readonly percent?: number; readonly people?: number };
  /** Absent: any number. */
  readonly newUsersPerHour?: number;
}

export interface BrakeInput {
  readonly stopIf: StopIf;
  /** How the source's listing ended. */
  readonly source: {
    readonly complete: boolean;
    readonly why?: string;
    readonly listed: number;
    /** Of a list that lags: how many are missing or inactive, where they are too many to ask for each. */
    readonly unasked?: number;
  };
  /** Whom the source listed before, and how many of them it lacks now. */
  readonly known: { readonly before: number; readonly missing: number };
  readonly targetComplete: boolean;
  readonly changes: readonly PlannedChange[];
  /** People who have something of ours in the target. */
  readonly holders: number;
  /** People who would lose something in another target by what this run remembers of them. */
  readonly carried: number;
  /** Accounts that were made in the target within the last hour. */
  readonly createdLately: number;
}

/** Fewer people than this may always lose something: a team of five may lose one. */
const FEWEST_REMOVALS = 3;

const REMOVALS: ReadonlySet<string> = new Set(['disable', 'delete', 'revoke']);

/** Why a plan has to wait for a person; undefined: it does not. Pure. */
export function brakeFor(input: BrakeInput): Brake | undefined {
  return sourceBrake(input) ?? targetBrake(input);
}

function sourceBrake({ source, known, stopIf }: BrakeInput): Brake | undefined {
  if (!source.complete) {
    const why = source.why === undefined ? '' : `: ${source.why}`;
    return brake('source_incomplete', `the source did not list everybody${why}`);
  }
  if (source.listed === 0) return brake('source_empty', 'the source listed nobody');
  if (source.unasked !== undefined) {
    const text = `${source.unasked} people whom the source listed before are missing or blocked in a list that lags behind`;
    return brake('source_short', `${text}; they are too many to ask for each of them`);
  }
  if (isAbove(known.missing, known.before, stopIf)) {
    const text = `${known.missing} of ${known.before} people whom the source listed before are missing or blocked there`;
    return brake('source_short', `${text}; more than ${limitText(stopIf)} wait for a person`);
  }
  return undefined;
}

function targetBrake(input: BrakeInput): Brake | undefined {
  const { targetComplete, changes, holders, stopIf, carried, known, createdLately } = input;
  if (!targetComplete) return brake('target_incomplete', 'the target did not show every account');
  const losing = losers(changes);
  if (isAbove(losing, holders, stopIf)) {
    const text = `${losing} of ${holders} people would lose something`;
    return brake('too_many_removals', `${text}; more than ${limitText(stopIf)} wait for a person`);
  }
  if (isAbove(carried, known.before, stopIf)) {
    const text = `by what the source says now ${carried} of ${known.before} people would lose something in other targets, at their next login or sync there`;
    return brake('too_many_removals', `${text}; more than ${limitText(stopIf)} wait for a person`);
  }
  const created = changes.filter(({ op, type }) => op === 'create' && type === 'user').length;
  const { newUsersPerHour } = stopIf;
  if (newUsersPerHour !== undefined && created > 0 && created + createdLately > newUsersPerHour) {
    const text = `${created} accounts would be made, after ${createdLately} within the last hour`;
    return brake('too_many_new_users', `${text}; more than ${newUsersPerHour} an hour wait for a person`);
  }
  return undefined;
}

/** How many people would lose something, be it an account or one entitlement. */
function losers(changes: readonly PlannedChange[]): number {
  const losing = changes.filter(({ op }) => REMOVALS.has(op));
  return new Set(losing.map(({ person, subject, key }) => person ?? subject ?? `account ${key}`)).size;
}

function isAbove(count: number, of: number, { removals: { percent, people } }: StopIf): boolean {
  if (count < FEWEST_REMOVALS) return false;
  return (percent !== undefined && count * 100 > percent * of) || (people !== undefined && count > people);
}

function limitText({ removals: { percent, people } }: StopIf): string {
  const limits = [percent === undefined ? [] : `${percent} %`, people === undefined ? [] : String(people)].flat();
  return limits.join(' or ');
}

function brake(code: Brake['code'], message: string): Brake {
  return { code, message };
}
