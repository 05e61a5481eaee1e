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
  /** People who have something of ours in the target, and those who lost the last of it within the last 24 hours. */
  readonly holders: number;
  /** Who lost something within the last 24 hours by runs of this sync that nobody approved: as `losersOf` names them. */
  readonly removedLately: ReadonlySet<string>;
  /** People who would lose something in another target by what this run remembers of them: as `losersOf` names them. */
  readonly carried: ReadonlySet<string>;
  /** Who did within the last 24 hours by runs of this source that nobody approved. */
  readonly carriedLately: ReadonlySet<string>;
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
    return brake('source_short', `${text}; ${limitText(stopIf)}`);
  }
  return undefined;
}

function targetBrake(input: BrakeInput): Brake | undefined {
  const { targetComplete, changes, holders, stopIf, createdLately } = input;
  if (!targetComplete) return brake('target_incomplete', 'the target did not show every account');
  const losing = losersOf(changes);
  const before = [...input.removedLately].filter((one) => !losing.has(one)).length;
  if (losing.size > 0 && isAbove(losing.size + before, holders, stopIf)) {
    const lately = before === 0 ? '' : `, after ${before} others within the last 24 hours`;
    const text = `${losing.size} of ${holders} people would lose something${lately}`;
    return brake('too_many_removals', `${text}; ${limitText(stopIf)}`);
  }
  const spread = carriedBrake(input);
  if (spread !== undefined) return spread;
  const created = changes.filter(({ op, type }) => op === 'create' && type === 'user').length;
  const { newUsersPerHour } = stopIf;
  if (newUsersPerHour !== undefined && created > 0 && created + createdLately > newUsersPerHour) {
    const text = `${created} accounts would be made, after ${createdLately} within the last hour`;
    return brake('too_many_new_users', `${text}; more than ${newUsersPerHour} an hour wait for a person`);
  }
  return undefined;
}

function carriedBrake({ carried, carriedLately, known, stopIf }: BrakeInput): Brake | undefined {
  const before = [...carriedLately].filter((one) => !carried.has(one)).length;
  if (carried.size === 0 || !isAbove(carried.size + before, known.before, stopIf)) return undefined;
  const lately = before === 0 ? '' : `, after ${before} others within the last 24 hours`;
  const who = `${carried.size} of ${known.before} people`;
  const text = `by what the source says now ${who} would lose something in other targets, at their next login or sync there${lately}`;
  return brake('too_many_removals', `${text}; ${limitText(stopIf)}`);
}

/** Who would lose something, be it an account or one entitlement. */
export function losersOf(changes: readonly PlannedChange[]): ReadonlySet<string> {
  const losing = changes.filter(({ op }) => REMOVALS.has(op));
  return new Set(losing.map(({ person, subject, key }) => person ?? subject ?? `account ${key}`));
}

function isAbove(count: number, of: number, { removals }: StopIf): boolean {
  if (isNone(removals)) return count > 0;
  if (count < FEWEST_REMOVALS) return false;
  const { percent, people } = removals;
  return (percent !== undefined && count * 100 > percent * of) || (people !== undefined && count > people);
}

/** Whoever says that none may go means one and two as well. */
function isNone({ percent, people }: StopIf['removals']): boolean {
  return percent === 0 || people === 0;
}

function limitText({ removals }: StopIf): string {
  if (isNone(removals)) return 'every removal waits for a person';
  const { percent, people } = removals;
  const limits = [percent === undefined ? [] : `${percent} %`, people === undefined ? [] : String(people)].flat();
  return `more than ${limits.join(' or ')} wait for a person`;
}

function brake(code: Brake['code'], message: string): Brake {
  return { code, message };
}
