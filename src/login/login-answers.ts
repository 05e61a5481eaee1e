import type { Handovers } from '../directory/directory.ts';
import type { Clock } from '../ops/clock.ts';
import { sha256 } from '../ops/hash.ts';
import { randomText } from '../ops/random.ts';
import { openSealed, seal } from '../ops/seal.ts';
import type { Completed } from './provider.ts';

const LIFE_MS = 120_000;
const HANDLE_BYTES = 32;

/** A verified answer, on its way from the request that brought it to the one that shows whose browser it is. */
export interface LoginAnswer {
  readonly provider: string;
  readonly completed: Completed;
  /** The state that came along; absent: the login began at the provider. */
  readonly state?: string;
  /** Where to go without a state; checked. */
  readonly returnTo: string;
}

/**
 * The form that a provider has the browser post comes from its own site, so that none of our cookies come along. What was
 * verified waits here, encrypted, until the browser has come back to us by itself.
 */
export interface LoginAnswers {
  /** Says under which handle. */
  keep(answer: LoginAnswer): Promise<string>;
  /** Once, within two minutes. */
  take(handle: string): Promise<LoginAnswer | undefined>;
}

export function createLoginAnswers(handovers: Handovers, secrets: readonly string[], clock: Clock): LoginAnswers {
  return {
    keep: async (answer) => {
      const handle = randomText(HANDLE_BYTES);
      const key = sha256(handle);
      const sealed = seal(JSON.stringify(answer), purposeOf(key), secrets);
      await handovers.leave(key, sealed, new Date(clock.now() + LIFE_MS));
      return handle;
    },
    take: async (handle) => {
      const key = sha256(handle);
      const sealed = await handovers.take(key);
      const opened = sealed === undefined ? undefined : openSealed(sealed, purposeOf(key), secrets);
      return opened === undefined ? undefined : revived(JSON.parse(opened.text) as LoginAnswer);
    },
  };
}

function purposeOf(key: string): string {
  return `login answer ${key}`;
}

/** JSON knows no dates. */
function revived(answer: LoginAnswer): LoginAnswer {
  const { completed } = answer;
  const assertion = { ...completed.assertion, at: new Date(completed.assertion.at) };
  return { ...answer, completed: { ...completed, assertion } };
}
