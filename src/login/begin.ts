import type { IncomingMessage, ServerResponse } from 'node:http';
import { isOfDomain } from '../mapping/email.ts';
import { toLatchgateError } from '../model/errors.ts';
import { atEndOfTurn } from '../ops/turn.ts';
import { ownHeaders, sendFailure, sendJourney, sendJson, sendPage, sendRedirect, wantsPage } from './answer.ts';
import {
  choiceAddress,
  type LoginRoutesOptions,
  type LoginStart,
  loginAddress,
  mainOrigin,
  originAsked,
  PREFIX,
  providerNamed,
  returnToOf,
  sendThrown,
  single,
  startLogin,
} from './context.ts';
import { lastLogin } from './last-login.ts';
import { choicePage } from './pages.ts';
import type { LoginProvider } from './provider.ts';

const LOGIN = `${PREFIX}/login`;

/**
 * Serves `GET /.latchgate/login`, and nothing else: then it says false. For who stands before Express: of all our pages
 * it is the one that anybody may ask for, again and again, and a router would be most of its work.
 */
export function createLoginStart(
  options: LoginRoutesOptions,
): (req: IncomingMessage, res: ServerResponse, requestId: string) => boolean {
  return (req, res, requestId) => {
    const { method, url = '' } = req;
    if (method !== 'GET' || !url.startsWith(LOGIN) || (url.length > LOGIN.length && url[LOGIN.length] !== '?')) {
      return false;
    }
    const fail = (thrown: unknown) => {
      res.setHeader('X-Request-Id', requestId);
      sendThrown(options, req, res, thrown);
    };
    try {
      beginLogin(options, req, res, url, requestId)?.catch(fail);
    } catch (thrown) {
      fail(thrown);
    }
    return true;
  };
}

/** Logins begin where they end: whoever asks another host is sent there, and comes back at last. */
export function beginLogin(
  options: LoginRoutesOptions,
  req: IncomingMessage,
  res: ServerResponse,
  url: string,
  requestId: string,
): Promise<void> | undefined {
  const at = url.indexOf('?');
  const parameters = new URLSearchParams(at === -1 ? '' : url.slice(at + 1));
  const returnTo = returnToOf(req, parameters, options);
  const name = single(parameters, 'login');
  const asked = originAsked(req, options);
  if (asked !== mainOrigin(options.publicUrl)) {
    parameters.set('rd', new URL(returnTo, asked).href);
    res.setHeader('X-Request-Id', requestId);
    sendRedirect(res, 302, `${options.publicUrl}${LOGIN}?${parameters}`);
    return undefined;
  }
  const loginHint = hintOf(parameters);
  const { cookie: cookieHeader } = req.headers;
  const chooses = parameters.has('choose');
  const provider = chooseProvider(options, { name, loginHint, returnTo, cookieHeader, chooses });
  if (provider === undefined) {
    res.setHeader('X-Request-Id', requestId);
    offerChoice(options, req, res, returnTo, loginHint !== undefined);
    return undefined;
  }
  const fail = (thrown: unknown): undefined => {
    const error = toLatchgateError(thrown);
    res.setHeader('X-Request-Id', requestId);
    const about = { requestId, login: provider.name, code: error.code };
    options.log.error('login could not start', { ...about, error });
    const chooseAddress = choiceAddress(returnTo, options);
    const ways = chooseAddress === undefined ? {} : { chooseAddress };
    sendFailure(req, res, error, { retryAddress: loginAddress(returnTo, name), ...ways });
  };
  try {
    const started = startLogin(options, req.headers.cookie, { provider, returnTo, restarts: 0, loginHint, requestId });
    if (started instanceof Promise) return started.then((later) => sendOff(res, later, requestId)).catch(fail);
    return sendOff(res, started, requestId);
  } catch (thrown) {
    return fail(thrown);
  }
}

function sendOff(res: ServerResponse, { journey, cookie }: LoginStart, requestId: string): undefined {
  if (typeof journey !== 'string') {
    res.setHeader('X-Request-Id', requestId);
    res.setHeader('Set-Cookie', cookie);
    sendJourney(res, 302, journey);
    return;
  }
  atEndOfTurn(() => {
    if (res.destroyed) return;
    res.writeHead(302, [...ownHeaders(requestId), 'Set-Cookie', cookie, 'Location', journey]);
    res.end();
  });
}

interface Wish {
  readonly name: string | undefined;
  readonly loginHint: string | undefined;
  readonly returnTo: string;
  readonly cookieHeader: string | undefined;
  /** Whatever the route says and the browser remembers. */
  readonly chooses: boolean;
}

/**
 * By name; the only one; that of the route; the only one for the domain of the e-mail address; without an address, the one
 * that this browser took last. Undefined: the person has to choose.
 */
function chooseProvider(
  options: LoginRoutesOptions,
  { name, loginHint, returnTo, cookieHeader, chooses }: Wish,
): LoginProvider | undefined {
  const { providers, publicUrl, loginOf } = options;
  if (name !== undefined) return providerNamed(name, options);
  const all = [...providers.values()];
  if (all.length === 1) return all[0];
  const ofRoute = chooses ? undefined : loginOf?.(returnTo);
  if (ofRoute !== undefined) return providers.get(ofRoute);
  if (loginHint === undefined) return chooses ? undefined : providers.get(lastLogin(publicUrl, cookieHeader) ?? '');
  const fits = all.filter(({ emailDomains }) => isOfDomain(loginHint, emailDomains));
  return fits.length === 1 ? fits[0] : undefined;
}

/** What a person typed or another site sent along (OIDC Core §4): an address, or nothing. */
function hintOf(parameters: URLSearchParams): string | undefined {
  const hint = single(parameters, 'login_hint')?.trim();
  return hint !== undefined && hint.length <= 254 && /^[^\s\p{Cc}@]+@[^\s\p{Cc}@]+$/u.test(hint) ? hint : undefined;
}

function offerChoice(
  options: LoginRoutesOptions,
  req: IncomingMessage,
  res: ServerResponse,
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
  const byEmail = { action: LOGIN, returnTo, unknown };
  sendPage(res, 200, (frame) => choicePage({ logins, ...(hasDomains ? { byEmail } : {}) }, frame));
}
