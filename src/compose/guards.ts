import type { ProxyTarget } from '../proxy/deps.ts';
import type { ServedTargetConfig } from '../targets/schema.ts';
import { isPasswordLogin, isSecurityApi } from '../targets/superset/guarded-paths.ts';

type Guards = Pick<
  ProxyTarget,
  'logoutPaths' | 'loginPaths' | 'isClosed' | 'isForOwnPages' | 'isWrittenByOwnPagesAlone'
>;

/** What the proxy watches because this backend does not. `cookieDomain`: of our session cookie, if it has one. */
export function guardsOf(config: ServedTargetConfig, cookieDomain: string | undefined): Guards {
  // Other hosts below the domain are the same site to browsers: their pages send our cookie along.
  const isWrittenByOwnPagesAlone = cookieDomain !== undefined;
  if (config.type === 'gooddata') {
    // Its own protection looks at its own cookie, and none of these is there when a token signs in.
    const signsIn = config.sign_in !== 'none';
    return { logoutPaths: ['/logout'], isWrittenByOwnPagesAlone: isWrittenByOwnPagesAlone || signsIn };
  }
  const common = { logoutPaths: ['/logout', '/logout/'], isClosed: isPasswordLogin, isForOwnPages: isSecurityApi };
  // In header mode that page signs in whoever the headers say, percent-encoded as they are; the gateway asks for it itself.
  const login = config.sign_in === 'header' ? { loginPaths: ['/login', '/login/'] } : {};
  return { ...common, ...login, isWrittenByOwnPagesAlone };
}
