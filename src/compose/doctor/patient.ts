import type { Config } from '../../config/schema.ts';
import { LatchgateError, toLatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import type { Signer } from '../../ops/keys.ts';
import type { ComposedTarget } from '../engine.ts';
import type { State } from '../state.ts';
import type { Examined, Finding } from './findings.ts';

/** What the doctor looks at. Nothing in it can write to a target. */
export interface Patient {
  readonly configFile: string;
  readonly config: Config;
  readonly clock: Clock;
  /** Refuses whatever would write, as in a plan. */
  readonly http: HttpClient;
  /** Absent: the state database could not be opened. */
  readonly state?: State;
  readonly signer?: Signer;
  /** Composed over `http`. Empty without a state. */
  readonly targets: ReadonlyMap<string, ComposedTarget>;
}

/** No single look takes longer. */
const LOOK_MS = 15_000;

/** One look: what it throws unforeseen is a reason that it was not done, and does not end the others. */
export async function look(
  about: string,
  what: string,
  work: (signal: AbortSignal) => Promise<readonly Finding[]>,
): Promise<Examined> {
  try {
    return { about, what, findings: await work(AbortSignal.timeout(LOOK_MS)) };
  } catch (thrown) {
    const { code, message } = toLatchgateError(thrown);
    return { about, what, findings: [], skipped: code === 'internal' ? 'it failed' : `${code}: ${message}` };
  }
}

export function notTried(about: string, what: string, why: string): Examined {
  return { about, what, findings: [], skipped: why };
}

/** Whether it is this kind of failure: the caller turns it into a finding, and lets others go on. */
export function isCode(thrown: unknown, ...codes: readonly LatchgateError['code'][]): thrown is LatchgateError {
  return thrown instanceof LatchgateError && codes.includes(thrown.code);
}
