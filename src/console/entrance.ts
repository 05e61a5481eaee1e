import { type ErrorRequestHandler, type Request, type Response, Router } from 'express';
import { requestIdOf, sendFailure, sendRedirect, setOwnHeaders } from '../login/answer.ts';
import { type LoginRoutesOptions, loginAddress, originAsked, sendThrown } from '../login/context.ts';
import { LatchgateError } from '../model/errors.ts';
import { sessionHandle } from '../session/seal.ts';
import { type ConsoleLogins, ENTRANCE } from './login.ts';
import type { RoleOf } from './roles.ts';
import { queryOf } from './visit.ts';

/**
 * `GET /.latchgate/console` of the public listener: where operators log in like everybody. To be mounted at that path.
 * Who has no role is told so, and gets no handle.
 */
export function createConsoleEntrance(options: LoginRoutesOptions, logins: ConsoleLogins, roleOf: RoleOf): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.get('/', options.sessions.middleware, async (req, res) => {
    setOwnHeaders(res);
    await enter(options, logins, roleOf, req, res);
  });
  router.use(onError(options));
  return router;
}

/** Also of a session store that is down, of which the middleware tells. */
function onError(options: LoginRoutesOptions): ErrorRequestHandler {
  return (thrown: unknown, req, res, _next) => sendThrown(options, req, res, thrown);
}

async function enter(
  options: LoginRoutesOptions,
  logins: ConsoleLogins,
  roleOf: RoleOf,
  req: Request,
  res: Response,
): Promise<void> {
  if (originAsked(req, options) !== new URL(options.publicUrl).origin) {
    throw new LatchgateError('route_unknown', 'operators log in on the host of public_url');
  }
  const query = queryOf(req);
  const { record } = req.session;
  const id = req.sessionID;
  const live = record && (await options.current({ id, handle: sessionHandle(id), session: record }));
  if (live === undefined) return sendRedirect(res, 302, loginAddress(`${ENTRANCE}?${query}`));
  if (roleOf(live.session.identity) === undefined) {
    const error = new LatchgateError('operator_only', 'no condition of operators fits');
    const { person } = live.session.identity;
    options.log.warn('the operators’ page is not for them', { requestId: requestIdOf(res), person, code: error.code });
    return sendFailure(req, res, error, { switchAddress: '/.latchgate/logout' });
  }
  const address = await logins.handOver(id, query);
  if (address === undefined) throw new LatchgateError('operator_login_invalid', 'this did not begin at admin_url');
  sendRedirect(res, 302, address);
}
