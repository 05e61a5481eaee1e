import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { requestIdOf, sendFailure, sendJson, sendPage, sendRedirect, setOwnHeaders, wantsPage } from './answer.ts';
import { createBackchannelLogout } from './backchannel-logout.ts';
import { finishLogin } from './callback.ts';
import {
  type LoginRoutesOptions,
  loginAddress,
  originAsked,
  ownAddress,
  PREFIX,
  providerNamed,
  returnToOf,
  single,
  startLogin,
} from './context.ts';
import { askLogout, logout } from './logout.ts';
import { choicePage } from './pages.ts';
import type { LoginProvider } from './provider.ts';

/**
 * Everything under `/.latchgate`, to be mounted there: login, callback, logouts, userinfo, jwks.json. Answers every
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
  serve('/login', { GET: [(req, res) => beginLogin(options, req, res)], HEAD: [(_req, res) => void res.end()] });
  serve('/callback/:name', {
    GET: [mainHostOnly(options), session, (req, res) => finishLogin(options, req, res, String(req.params['name']))],
  });
  const ask: RequestHandler = (req, res) => askLogout(options, req, res);
  serve('/logout', {
    GET: [session, ask],
    HEAD: [session, ask],
    POST: [session, (req, res) => logout(options, req, res)],
  });
  const backchannel = createBackchannelLogout(options);
  serve('/backchannel-logout/:name', { POST: [(req, res) => backchannel(req, res, String(req.params['name']))] });
  serve('/userinfo', { GET: [session, userInfo], HEAD: [session, userInfo] });
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

/** Logins begin where they end: whoever asks another host is sent there, and comes back at last. */
async function beginLogin(options: LoginRoutesOptions, req: Request, res: Response): Promise<void> {
  const { searchParams } = ownAddress(req, options, '/login');
  const returnTo = returnToOf(req, searchParams, options);
  const name = single(searchParams, 'login');
  const asked = originAsked(req, options);
  if (asked !== new URL(options.publicUrl).origin) {
    searchParams.set('rd', new URL(returnTo, asked).href);
    return sendRedirect(res, 302, `${options.publicUrl}${PREFIX}/login?${searchParams}`);
  }
  const loginHint = hintOf(searchParams);
  const provider = chooseProvider(options, name, loginHint);
  if (provider === undefined) return offerChoice(options, req, res, returnTo, loginHint !== undefined);
  try {
    const hint = loginHint === undefined ? {} : { loginHint };
    await startLogin(options, req, res, { provider, returnTo, restarts: 0, ...hint });
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    options.log.error('login could not start', {
      requestId: requestIdOf(res),
      login: provider.name,
      code: error.code,
      error,
    });
    sendFailure(req, res, error, { retryAddress: loginAddress(returnTo, name) });
  }
}

/** By name; the only one; the only one for the domain of the e-mail address. Undefined: the person has to choose. */
function chooseProvider(
  options: LoginRoutesOptions,
  name: string | undefined,
  loginHint: string | undefined,
): LoginProvider | undefined {
  if (name !== undefined) return providerNamed(name, options);
  const all = [...options.providers.values()];
  if (all.length === 1) return all[0];
  const domain = loginHint?.slice(loginHint.lastIndexOf('@') + 1).toLowerCase();
  const fits = all.filter(({ emailDomains }) => emailDomains.some((own) => own.toLowerCase() === domain));
  return fits.length === 1 ? fits[0] : undefined;
}

/** What a person typed or another site sent along (OIDC Core §4): an address, or nothing. */
function hintOf(parameters: URLSearchParams): string | undefined {
  const hint = single(parameters, 'login_hint')?.trim();
  return hint !== undefined && hint.length <= 254 && /^[^\s\p{Cc}@]+@[^\s\p{Cc}@]+$/u.test(hint) ? hint : undefined;
}

function offerChoice(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  returnTo: string,
  unknown: boolean,
): void {
  const providers = [...options.providers.values()];
  const logins = providers.map(({ label, name }) => ({ label, address: loginAddress(returnTo, name) }));
  if (!wantsPage(req)) {
    sendJson(res, 200, { logins });
    return;
  }
  const hasDomains = providers.some(({ emailDomains }) => emailDomains.length > 0);
  const byEmail = { action: `${PREFIX}/login`, returnTo, unknown };
  sendPage(res, 200, (frame) => choicePage({ logins, ...(hasDomains ? { byEmail } : {}) }, frame));
}

const userInfo: RequestHandler = (req, res) => {
  const { record } = req.session;
  if (record === undefined) throw new LatchgateError('login_required', 'no session');
  const { subject, preferredUsername, email, groups } = record.identity;
  sendJson(res, 200, {
    user: preferredUsername ?? email ?? subject,
    ...(email === undefined ? {} : { email }),
    groups,
    expiry: new Date(record.endsAt).toISOString(),
  });
};

function onError({ log }: LoginRoutesOptions): ErrorRequestHandler {
  return (thrown: unknown, req, res, _next) => {
    const error = isBadAddress(thrown)
      ? new LatchgateError('request_invalid', 'the address cannot be decoded')
      : toLatchgateError(thrown);
    if (error.status >= 500) log.error('request failed', { requestId: requestIdOf(res), code: error.code, error });
    // A session that could not be touched after the answer was written: the answer stands.
    if (res.headersSent) return;
    const canRetry = error.retryable || error.code === 'login_required';
    sendFailure(req, res, error, canRetry ? { retryAddress: loginAddress('/') } : {});
  };
}

/** Express throws a URIError with status 400 for a path like `/callback/%`. */
function isBadAddress(thrown: unknown): boolean {
  return thrown instanceof URIError;
}
