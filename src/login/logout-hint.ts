import type { Clock } from '../ops/clock.ts';
import { openSealed, seal } from '../ops/seal.ts';
import type { SessionTokens } from '../session/store.ts';
import { LOGIN_LIMIT_MS } from './state.ts';

const PURPOSE = 'logout hint';

/** By what a provider knows whose login it is. */
export type LogoutHint = Pick<SessionTokens, 'idToken' | 'nameId'>;

/**
 * How the provider knows a login that was refused, sealed into the page that says so: nothing is stored here of who has
 * no session, and the provider still ends its own session without asking when they choose to be somebody else.
 */
export interface LogoutHints {
  seal(login: string, hint: LogoutHint): string;
  /** undefined: not sealed by us for this login within the last ten minutes. */
  open(login: string, sealed: string): LogoutHint | undefined;
}

interface Sealed extends LogoutHint {
  readonly login: string;
  readonly until: number;
}

export function createLogoutHints(secrets: readonly string[], clock: Clock): LogoutHints {
  return {
    seal: (login, { idToken, nameId }) => {
      const hint = { login, idToken, nameId, until: clock.now() + LOGIN_LIMIT_MS };
      return seal(JSON.stringify(hint), PURPOSE, secrets);
    },
    open: (login, sealed) => {
      const opened = openSealed(sealed, PURPOSE, secrets);
      const hint = opened === undefined ? undefined : (JSON.parse(opened.text) as Sealed);
      if (hint === undefined || hint.login !== login || clock.now() >= hint.until) return undefined;
      const { idToken, nameId } = hint;
      return { ...(idToken === undefined ? {} : { idToken }), ...(nameId === undefined ? {} : { nameId }) };
    },
  };
}
