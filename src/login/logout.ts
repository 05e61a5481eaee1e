import type { Request, Response } from 'express';
import { toLatchgateError } from '../model/errors.ts';
import { appendCookie } from '../session/cookie.ts';
import type { SessionTokens } from '../session/store.ts';
import { requestIdOf, sendJourney, sendJson, sendPage, sendRedirect, wantsPage } from './answer.ts';
import { type LoginRoutesOptions, loginAddress, ownAddress, PREFIX, returnToOf, single, stepLimit } from './context.ts';
import { isForm, readForm } from './form-body.ts';
import { forgetLogin } from './last-login.ts';
import { assertOwnOrigin } from './own-origin.ts';
import { loggedOutPage, logoutPage } from './pages.ts';
import { isRefreshable, type Journey } from './provider.ts';

/** An ID token as long as providers take it back, sealed and escaped. */
const MOST_BYTES = 16_384;

/** `GET /.latchgate/logout`: only asks, so that no link or image logs anybody out. */
export function askLogout(options: LoginRoutesOptions, req: Request, res: Response): void {
  const { searchParams } = ownAddress(req, options, '/logout');
  const returnTo = returnToOf(req, searchParams, options);
  const who = req.session.record?.identity.displayName;
  if (who === undefined) {
    sendPage(res, 200, (frame) => loggedOutPage({ loginAddress: loginAddress(returnTo), ended: false }, frame));
    return;
  }
  const action = `${PREFIX}/logout${returnTo === '/' ? '' : `?${new URLSearchParams({ rd: returnTo })}`}`;
  sendPage(res, 200, (frame) => logoutPage({ action, who }, frame), { posts: true });
}

/** `POST /.latchgate/logout`: ends the gateway's session, the backends' cookies, then the provider's session. */
export async function logout(options: LoginRoutesOptions, req: Request, res: Response): Promise<void> {
  assertOwnOrigin(req, options);
  const { searchParams } = ownAddress(req, options, '/logout');
  const { record } = req.session;
  const login = record?.identity.origin ?? single(searchParams, 'login');
  const tokens = await tokensOf(options, req, res, login);
  await options.sessions.end(req, res);
  // Whoever wants to be somebody else may have chosen wrongly.
  if (options.providers.size > 1) appendCookie(res, forgetLogin(options.publicUrl));
  const secure = new URL(options.publicUrl).protocol === 'https:' ? '; Secure' : '';
  for (const name of options.backendCookies ?? []) {
    appendCookie(res, `${name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax${secure}`);
  }
  options.log.info('logout', { requestId: requestIdOf(res), ...(record && { person: record.identity.person }) });
  if (login !== undefined && tokens.refreshToken !== undefined) void revoke(options, res, login, tokens.refreshToken);
  const elsewhere = await providerLogout(options, res, login, tokens);
  const returnTo = returnToOf(req, searchParams, options);
  const url = typeof elsewhere === 'string' ? { logout_url: elsewhere } : {};
  if (!wantsPage(req)) return sendJson(res, 200, { logged_out: true, ...url });
  if (elsewhere !== undefined) return sendJourney(res, 303, elsewhere);
  if (returnTo !== '/') return sendRedirect(res, 303, returnTo);
  return sendPage(res, 200, (frame) => loggedOutPage({ loginAddress: loginAddress('/'), ended: true }, frame));
}

/** A store that does not answer must not keep anybody logged in: then the provider asks the person. */
async function tokensOf(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  login: string | undefined,
): Promise<SessionTokens> {
  try {
    if (req.session.record !== undefined) return await options.sessions.tokens(req);
    // Whose login was refused has brought the hint along from the page that said so.
    if (login === undefined || !isForm(req)) return {};
    const hint = (await readForm(req, MOST_BYTES)).get('hint');
    return hint === null ? {} : (options.logoutHints.open(login, hint) ?? {});
  } catch (thrown) {
    options.log.warn('the tokens of a session could not be read at its logout', {
      requestId: requestIdOf(res),
      error: toLatchgateError(thrown),
    });
    return {};
  }
}

/** In the background, and if it fails the token is forgotten all the same. */
async function revoke(options: LoginRoutesOptions, res: Response, login: string, refreshToken: string): Promise<void> {
  const provider = options.providers.get(login);
  if (provider === undefined || !isRefreshable(provider)) return;
  try {
    await provider.revoke(refreshToken, stepLimit());
  } catch (thrown) {
    const { code } = toLatchgateError(thrown);
    options.log.warn('a refresh token could not be revoked', { requestId: requestIdOf(res), login, code });
  }
}

/** OpenID Connect RP-Initiated Logout 1.0 §2, SAML profiles §4.4.3.1. A provider that does not answer keeps nobody logged in here. */
async function providerLogout(
  options: LoginRoutesOptions,
  res: Response,
  login: string | undefined,
  { idToken, nameId }: SessionTokens,
): Promise<Journey | undefined> {
  const provider = login === undefined ? undefined : options.providers.get(login);
  if (provider === undefined) return undefined;
  try {
    const returnTo = new URL(`${options.publicUrl}/`);
    const input = {
      returnTo,
      ...(idToken === undefined ? {} : { idToken }),
      ...(nameId === undefined ? {} : { nameId }),
    };
    return await provider.logoutJourney(input, stepLimit());
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    options.log.warn('the provider could not be told of a logout', {
      requestId: requestIdOf(res),
      login: provider.name,
      error,
    });
    return undefined;
  }
}
