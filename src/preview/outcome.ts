import type { PersonId } from '../model/person.ts';
import type { PreviewChange } from './compare.ts';
import type { Verdict } from './side.ts';

/** Somebody for whom the new config makes a difference. */
export interface PreviewPerson {
  readonly person: PersonId;
  readonly name: string;
  readonly email?: string;
  /** Who speaks for the person now. */
  readonly origins: readonly string[];
  readonly changes: readonly PreviewChange[];
  /** Why the person is not let in any more. */
  readonly shutOut?: NonNullable<Verdict['out']>;
  /** The person was not let in, and is now. */
  readonly letIn: boolean;
}

export interface Preview {
  /** Only of whom somebody has spoken since then. */
  readonly since?: Date;
  /** Whose recorded assertions were looked at. */
  readonly looked: number;
  readonly people: readonly PreviewPerson[];
  readonly summary: PreviewSummary;
  /** What it is well to know before one relies on it. */
  readonly notes: readonly string[];
}

/** Numbers of people. */
export interface PreviewSummary {
  readonly gain: number;
  readonly lose: number;
  readonly shutOut: number;
  /** Those who gain something privileged. */
  readonly privileged: number;
  /** Those of whom a profile is written anew: name, e-mail. */
  readonly profile: number;
  /** Those for whom nothing else changes than the rule or origin by which they have what they have. */
  readonly otherRule: number;
}

const GAINS: ReadonlySet<PreviewChange['op']> = new Set(['create', 'open', 'grant']);
const ENDS: ReadonlySet<PreviewChange['op']> = new Set(['close', 'delete', 'refuse']);

export function gains({ changes, letIn }: PreviewPerson): boolean {
  return letIn || changes.some(({ op }) => GAINS.has(op));
}

export function loses({ changes }: PreviewPerson): boolean {
  return changes.some(({ op }) => op === 'revoke' || ENDS.has(op));
}

/** Out altogether, or of one target. */
export function isShutOut({ changes, shutOut }: PreviewPerson): boolean {
  return shutOut !== undefined || changes.some(({ op }) => ENDS.has(op));
}

export function gainsPrivileged({ changes }: PreviewPerson): boolean {
  return changes.some(({ op, privileged }) => privileged && GAINS.has(op));
}

/** In some target. */
function isRewritten({ changes }: PreviewPerson): boolean {
  return changes.some(({ op }) => op === 'update');
}

/** Of these people; who has the same by another rule is none of them. */
export function countsOf(people: readonly PreviewPerson[]): Omit<PreviewSummary, 'otherRule'> {
  const count = (fits: (person: PreviewPerson) => boolean): number => people.filter(fits).length;
  return {
    gain: count(gains),
    lose: count(loses),
    shutOut: count(isShutOut),
    privileged: count(gainsPrivileged),
    profile: count(isRewritten),
  };
}
