import type { Clock } from '../ops/clock.ts';
import { openSealed, seal } from '../ops/seal.ts';
import { LOGIN_LIMIT_MS } from './state.ts';

const PURPOSE = 'logout hint';

/**
 * The ID token of a login that was refused, sealed into the page that says so: nothing is stored here of who has no
 * session, and the provider still ends its own session without asking when they choose to be somebody else.
 */
export interface LogoutHints {
  seal(login: string, idToken: string): string;
  /** undefined: not sealed by us for this login within the last ten minutes. */
  open(login: string, sealed: string): string | undefined;
}

interface Hint {
  readonly login: string;
  readonly idToken: string;
  readonly until: number;
}

export function createLogoutHints(secrets: readonly string[], clock: Clock): LogoutHints {
  return {
    seal: (login, idToken) => {
      const hint: Hint = { login, idToken, until: clock.now() + LOGIN_LIMIT_MS };
      return seal(JSON.stringify(hint), PURPOSE, secrets);
    },
    open: (login, sealed) => {
      const opened = openSealed(sealed, PURPOSE, secrets);
      const hint = opened === undefined ? undefined : (JSON.parse(opened.text) as Hint);
      return hint !== undefined && hint.login === login && clock.now() < hint.until ? hint.idToken : undefined;
    },
  };
}
