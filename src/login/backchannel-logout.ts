import type { Request, Response } from 'express';
import { type ErrorCode, LatchgateError, toLatchgateError } from '../model/errors.ts';
import { createSemaphore } from '../ops/semaphore.ts';
import { requestIdOf, sendJson } from './answer.ts';
import { type LoginRoutesOptions, providerNamed, reportEnd, stepLimit } from './context.ts';
import { invalidForm, readForm } from './form-body.ts';
import { type ProviderLogout, tellsLogouts } from './provider.ts';

const MOST_BYTES = 65_536;
const AT_ONCE = 16;
/** Beyond them a provider is asked to come again: whoever sends so many at once may be anybody. */
const MOST_WAITING = 1_000;
const RETRY_SECONDS = 5;

/** What is wrong with the request itself, as against what failed on our side. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'request_invalid',
  'token_invalid',
  'token_key_unknown',
  'subject_invalid',
]);

/**
 * `POST /.latchgate/backchannel-logout/NAME` (OpenID Connect Back-Channel Logout 1.0 §2.5): called by the provider, not
 * by a browser, under whatever host name it reaches us. 200 when it is done, else 400 with JSON (§2.8).
 */
export function createBackchannelLogout(
  options: LoginRoutesOptions,
): (req: Request, res: Response, name: string) => Promise<void> {
  const places = createSemaphore(AT_ONCE);
  let waiting = 0;
  return async (req, res, name) => {
    const provider = providerNamed(name, options);
    if (!tellsLogouts(provider)) throw new LatchgateError('login_unknown', 'this login tells of no logouts');
    const at = { requestId: requestIdOf(res), login: provider.name };
    let token: string;
    try {
      token = await tokenOf(req);
    } catch (thrown) {
      return refuse(options, res, toLatchgateError(thrown), at);
    }
    if (waiting >= MOST_WAITING) {
      res.setHeader('Retry-After', RETRY_SECONDS);
      return sendJson(res, 503, { error: 'temporarily_unavailable', error_description: 'too many logouts at once' });
    }
    waiting += 1;
    const signal = stepLimit();
    try {
      // Without a place: tokens of unknown keys may wait for a while, and are not to keep others from being heard.
      const logout = await provider.verifyLogout(token, signal);
      const release = await places.acquire(signal);
      const sessions = await options.endedLogins.end(logout).finally(release);
      await tellOf(options, logout, sessions, at);
      res.statusCode = 200;
      res.end();
    } catch (thrown) {
      refuse(options, res, toLatchgateError(thrown), at);
    } finally {
      waiting -= 1;
    }
  };
}

async function tellOf(
  options: LoginRoutesOptions,
  { issuer, subject }: ProviderLogout,
  sessions: number,
  at: { readonly requestId: string; readonly login: string },
): Promise<void> {
  options.log.info('the provider ended logins', { ...at, sessions });
  options.onLogoutToken?.(at.login, 'ok');
  const who = subject === undefined ? {} : { subject: { issuer, subject } };
  await reportEnd(options, { ...at, code: 'backchannel_logout', sessions, ...who });
}

function refuse(
  options: LoginRoutesOptions,
  res: Response,
  error: LatchgateError,
  at: { readonly requestId: string; readonly login: string },
): void {
  const isRefusal = REFUSALS.has(error.code);
  // Only now: whether a token holds is not for others of its address to decide.
  const tooMany = isRefusal ? options.refused.logoutTokens.count(res.req) : undefined;
  if (tooMany !== undefined) {
    sendTooMany(options, res, tooMany, at);
    return;
  }
  options.log[isRefusal ? 'warn' : 'error']('a logout token was not taken', { ...at, code: error.code, error });
  options.onLogoutToken?.(at.login, error.code);
  if (!res.req.complete) res.setHeader('Connection', 'close');
  const { check } = error.detail;
  sendJson(res, 400, {
    error: isRefusal ? 'invalid_request' : 'temporarily_unavailable',
    error_description: `${error.code}${check === undefined ? '' : ` (${check})`}`,
  });
}

/** Without a line in the log for each. */
function sendTooMany(
  options: LoginRoutesOptions,
  res: Response,
  { code, retryAfterSeconds = RETRY_SECONDS }: LatchgateError,
  { login }: { readonly login: string },
): void {
  options.onLogoutToken?.(login, code);
  if (!res.req.complete) res.setHeader('Connection', 'close');
  res.setHeader('Retry-After', retryAfterSeconds);
  sendJson(res, 429, { error: 'invalid_request', error_description: code });
}

/** The one `logout_token` of a form; what else is in it is none of ours (§2.5). */
async function tokenOf(req: Request): Promise<string> {
  const [token, ...more] = (await readForm(req, MOST_BYTES)).getAll('logout_token');
  if (token === undefined || token === '' || more.length > 0) throw invalidForm('logout_token');
  return token;
}
