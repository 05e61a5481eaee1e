import type { Handovers, People } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Assertion, PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { sha256 } from '../ops/hash.ts';
import { randomText } from '../ops/random.ts';
import { openSealed, seal } from '../ops/seal.ts';

/** How long a link waits to be used. */
const LINK_LIFE_MS = 15 * 60_000;
const HANDLE_BYTES = 32;

/** A login that an operator allows while the provider is down. */
export interface EmergencyLogin {
  readonly person: PersonId;
  /** The login whose word of the person counts, as it was last given. */
  readonly origin: string;
  readonly issuer: string;
  readonly subject: string;
  /** How long the session may be, in milliseconds. */
  readonly sessionMs: number;
}

/** Links that log one known person in once, by what their provider last said of them. */
export interface BreakGlass {
  /** The handle for the link, and until when it can be used. */
  make(login: EmergencyLogin): Promise<{ readonly handle: string; readonly expiresAt: Date }>;
  /** Once. Throws `break_glass_over`. It is in the audit before it is given away. */
  use(handle: string, requestId: string): Promise<{ readonly assertion: Assertion; readonly sessionMs: number }>;
}

export interface BreakGlassDeps {
  readonly handovers: Handovers;
  readonly people: Pick<People, 'assertions'>;
  /** Waited for before anybody gets in; what it throws, nobody does. */
  readonly onUsed: (login: EmergencyLogin, requestId: string) => Promise<void>;
  /** `session.secrets`. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
}

export function createBreakGlass({ handovers, people, onUsed, secrets, clock }: BreakGlassDeps): BreakGlass {
  return {
    make: async (login) => {
      const handle = randomText(HANDLE_BYTES);
      const key = sha256(handle);
      const expiresAt = new Date(clock.now() + LINK_LIFE_MS);
      await handovers.leave(key, seal(JSON.stringify(login), purposeOf(key), secrets), expiresAt);
      return { handle, expiresAt };
    },
    use: async (handle, requestId) => {
      const key = sha256(handle);
      const sealed = await handovers.take(key);
      const opened = sealed === undefined ? undefined : openSealed(sealed, purposeOf(key), secrets);
      if (opened === undefined) throw linkOver('handle');
      const login = JSON.parse(opened.text) as EmergencyLogin;
      const assertion = (await people.assertions(login.person)).find((one) => isOf(one, login));
      // What was said last may have changed since the link was made.
      if (assertion === undefined || !assertion.active || assertion.isUnverified === true) throw linkOver('assertion');
      await onUsed(login, requestId);
      return { assertion, sessionMs: login.sessionMs };
    },
  };
}

function isOf(one: Assertion, { origin, issuer, subject }: EmergencyLogin): boolean {
  return one.origin === origin && one.issuer === issuer && one.subject === subject;
}

/** `break_glass_over`. */
export function linkOver(check: string): LatchgateError {
  return new LatchgateError('break_glass_over', 'no emergency link waits under this handle', { detail: { check } });
}

function purposeOf(key: string): string {
  return `break glass ${key}`;
}
