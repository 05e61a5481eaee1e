import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express';
import { LatchgateError } from '../model/errors.ts';
import { sessionHandle } from '../session/seal.ts';
import { requestIdOf, sendJson, setOwnHeaders } from './answer.ts';
import { createBackchannelLogout } from './backchannel-logout.ts';
import { beginLogin } from './begin.ts';
import { askBreakGlass, useBreakGlass } from './break-glass-routes.ts';
import { finishLogin } from './callback.ts';
import { type LoginRoutesOptions, originAsked, sendThrown } from './context.ts';
import { askLogout, logout } from './logout.ts';
import { acceptAnswer, finishAnswer, sendMetadata, singleLogout } from './saml-routes.ts';

/**
 * Everything under `/.latchgate`, to be mounted there: login, callback, SAML, logouts, userinfo, jwks.json. Answers every
 * request itself; what is to stand beside it is mounted before it.
 */
export function createLoginRouter(options: LoginRoutesOptions): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { middleware: session } = options.sessions;
  const serve = (path: string, methods: Readonly<Record<string, readonly RequestHandler[]>>) => {
    router.all(path, (req, res, next) => {
      if (Object.hasOwn(methods, req.method)) return next();
      res.setHeader('Allow', Object.keys(methods).join(', '));
      throw new LatchgateError('method_not_allowed', 'this path does not take the method');
    });
    for (const [method, handlers] of Object.entries(methods)) {
      router.all(path, (req, _res, next) => next(req.method === method ? undefined : 'route'), ...handlers);
    }
  };

  router.use((_req, res, next) => {
    setOwnHeaders(res);
    next();
  });
  // A look at the address must not begin a login.
  serve('/login', {
    GET: [(req, res) => beginLogin(options, req, res, req.originalUrl, requestIdOf(res))],
    HEAD: [(_req, res) => void res.end()],
  });
  serve('/callback/:name', {
    GET: [mainHostOnly(options), session, (req, res) => finishLogin(options, req, res, String(req.params['name']))],
  });
  const named = (req: Request) => String(req.params['name']);
  serve('/saml/:name/acs', {
    POST: [mainHostOnly(options), (req, res) => acceptAnswer(options, req, res, named(req))],
    GET: [mainHostOnly(options), session, (req, res) => finishAnswer(options, req, res, named(req))],
  });
  const metadata: RequestHandler = (req, res) => sendMetadata(options, res, named(req));
  serve('/saml/:name/metadata', { GET: [metadata], HEAD: [metadata] });
  const slo: RequestHandler = (req, res) => singleLogout(options, req, res, named(req));
  serve('/saml/:name/slo', { GET: [slo], POST: [slo] });
  const ask: RequestHandler = (req, res) => askLogout(options, req, res);
  serve('/logout', {
    GET: [session, ask],
    HEAD: [session, ask],
    POST: [session, (req, res) => logout(options, req, res)],
  });
  serve('/break-glass', {
    GET: [mainHostOnly(options), (req, res) => askBreakGlass(options, req, res)],
    HEAD: [(_req, res) => void res.end()],
    POST: [mainHostOnly(options), session, (req, res) => useBreakGlass(options, req, res)],
  });
  const backchannel = createBackchannelLogout(options);
  serve('/backchannel-logout/:name', { POST: [(req, res) => backchannel(req, res, String(req.params['name']))] });
  const who: RequestHandler = (req, res) => userInfo(options, req, res);
  serve('/userinfo', { GET: [session, who], HEAD: [session, who] });
  const keys: RequestHandler = async (_req, res) => sendJson(res, 200, { keys: await options.publicKeys() });
  serve('/jwks.json', { GET: [keys], HEAD: [keys] });
  router.use(() => {
    throw new LatchgateError('route_unknown', 'no page of the gateway');
  });
  router.use(onError(options));
  return router;
}

/** Providers send people back to the host of `publicUrl`; the cookie that binds a login to its browser is there. */
function mainHostOnly(options: LoginRoutesOptions): RequestHandler {
  return (req, _res, next) => {
    if (originAsked(req, options) === new URL(options.publicUrl).origin) return next();
    throw new LatchgateError('route_unknown', 'logins end on the host of public_url');
  };
}

async function userInfo({ current }: LoginRoutesOptions, req: Request, res: Response): Promise<void> {
  const { record } = req.session;
  const id = req.sessionID;
  const live = record && (await current({ id, handle: sessionHandle(id), session: record }));
  if (live === undefined) throw new LatchgateError('login_required', 'no session');
  const { identity, endsAt } = live.session;
  const { subject, preferredUsername, email, groups } = identity;
  sendJson(res, 200, {
    user: preferredUsername ?? email ?? subject,
    ...(email === undefined ? {} : { email }),
    groups,
    expiry: new Date(endsAt).toISOString(),
  });
}

function onError(options: LoginRoutesOptions): ErrorRequestHandler {
  return (thrown: unknown, req, res, _next) => {
    sendThrown(
      options,
      req,
      res,
      isBadAddress(thrown) ? new LatchgateError('request_invalid', 'the address cannot be decoded') : thrown,
    );
  };
}

/** Express throws a URIError with status 400 for a path like `/callback/%`. */
function isBadAddress(thrown: unknown): boolean {
  return thrown instanceof URIError;
}
