import type { Request, Response } from 'express';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { requestIdOf, sendJourney, sendRedirect, setOwnHeaders } from './answer.ts';
import { conclude, countStranger, refuse, withoutState } from './callback.ts';
import {
  type LoginRoutesOptions,
  loginAddress,
  ownAddress,
  PREFIX,
  providerNamed,
  reportEnd,
  single,
  stepLimit,
} from './context.ts';
import { readForm } from './form-body.ts';
import type { LoginAnswers } from './login-answers.ts';
import { type AnswersByPost, answersByPost, type LoginProvider } from './provider.ts';
import { safeReturnTo } from './return-to.ts';

/** Of the whole form. */
const MOST_BYTES = 262_144;

/**
 * `POST /.latchgate/saml/NAME/acs`: what the provider had the browser post. It is verified, waits, and the browser is sent
 * to fetch it: only then do its cookies say whether it is the one that began.
 */
export async function acceptAnswer(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  name: string,
): Promise<void> {
  const { provider, answers } = postingProvider(options, name);
  let returnTo = '/';
  try {
    options.refused.callbacks.check(req);
    const form = await readForm(req, MOST_BYTES);
    const [response, ...more] = form.getAll('SAMLResponse');
    const [relayState, ...others] = form.getAll('RelayState');
    if (response === undefined || more.length > 0 || others.length > 0) {
      throw new LatchgateError('saml_message_invalid', 'the form has no answer of a provider', {
        detail: { provider: provider.name, check: 'SAMLResponse' },
      });
    }
    const found = relayState === undefined ? undefined : options.states.open(relayState, undefined);
    const opened = found?.transaction.provider === provider.name ? found : undefined;
    returnTo = opened?.transaction.returnTo ?? safeReturnTo(relayState, options);
    // It would begin anew at its end anyway; and a state of long ago does not make us read whatever is sent along.
    if (opened?.inTime === false) return sendRedirect(res, 303, loginAddress(returnTo, provider.name));
    const completed = await provider.accept({ response, transaction: opened?.transaction }, stepLimit());
    const state = opened === undefined || relayState === undefined ? {} : { state: relayState };
    const handle = await answers.keep({ provider: provider.name, completed, returnTo, ...state });
    sendRedirect(res, 303, `${PREFIX}/saml/${provider.name}/acs?${new URLSearchParams({ handle })}`);
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    if (!req.complete) res.setHeader('Connection', 'close');
    // A status that lays the fault on us (502) need not be signed. What is down (503) is no fault of who asks.
    if (error.status !== 503) countStranger(options, req);
    await refuse(options, req, res, error, { provider, returnTo, isRecorded: false });
  }
}

/** `GET /.latchgate/saml/NAME/acs`: the same browser, with its cookies. */
export async function finishAnswer(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  name: string,
): Promise<void> {
  const { provider, answers } = postingProvider(options, name);
  const handle = single(ownAddress(req, options, `/saml/${provider.name}/acs`).searchParams, 'handle');
  const answer = handle === undefined ? undefined : await answers.take(handle);
  if (answer?.provider !== provider.name) return withoutState(options, req, res, provider);
  const { completed, state, returnTo } = answer;
  const opened = state === undefined ? undefined : options.states.open(state, req.headers.cookie);
  // Sealed under a secret that has been taken out since.
  if (state !== undefined && opened === undefined) return withoutState(options, req, res, provider);
  const complete = async () => completed;
  return conclude(options, req, res, provider, { ...(opened === undefined ? {} : { opened }), returnTo, complete });
}

/** `GET /.latchgate/saml/NAME/metadata`: for the provider to read. */
export async function sendMetadata(options: LoginRoutesOptions, res: Response, name: string): Promise<void> {
  const { provider } = postingProvider(options, name);
  const text = await provider.metadata();
  setOwnHeaders(res);
  res.setHeader('Content-Type', 'application/samlmetadata+xml; charset=utf-8');
  res.end(text);
}

/**
 * `GET|POST /.latchgate/saml/NAME/slo`: the provider ends logins, by the browser or by itself; or it answers that it has
 * ended ours, which changes nothing here and is not read.
 */
export async function singleLogout(
  options: LoginRoutesOptions,
  req: Request,
  res: Response,
  name: string,
): Promise<void> {
  const { provider } = postingProvider(options, name);
  const at = { requestId: requestIdOf(res), login: provider.name };
  try {
    options.refused.logoutTokens.check(req);
    const isPost = req.method === 'POST';
    const { search } = ownAddress(req, options, `/saml/${provider.name}/slo`);
    const parameters = isPost ? await readForm(req, MOST_BYTES) : new URLSearchParams(search);
    if (!parameters.has('SAMLRequest') && parameters.has('SAMLResponse')) {
      return sendRedirect(res, 303, `${PREFIX}/logout`);
    }
    const message = isPost ? { form: parameters } : { query: rawQuery(req) };
    const { logouts, answer } = await provider.verifyLogoutRequest(message, stepLimit());
    const sessions = await options.endedLogins.endAll(logouts);
    options.log.info('the provider ended logins', { ...at, sessions });
    options.onLogoutToken?.(at.login, 'ok');
    const [first] = logouts;
    const { issuer, subject } = first ?? {};
    const who = issuer === undefined || subject === undefined ? {} : { subject: { issuer, subject } };
    await reportEnd(options, { ...at, code: 'backchannel_logout', sessions, ...who });
    const journey = await answer();
    if (journey === undefined) return void res.end();
    sendJourney(res, 303, journey);
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    if (!req.complete) res.setHeader('Connection', 'close');
    options.onLogoutToken?.(at.login, error.code);
    const tooMany = error.status !== 503 ? options.refused.logoutTokens.count(req) : undefined;
    if (tooMany !== undefined) throw tooMany;
    options.log.warn('a logout request was not taken', { ...at, code: error.code, error });
    throw error;
  }
}

function rawQuery({ originalUrl }: Request): string {
  const at = originalUrl.indexOf('?');
  return at === -1 ? '' : originalUrl.slice(at + 1);
}

function postingProvider(
  options: LoginRoutesOptions,
  name: string,
): { readonly provider: LoginProvider & AnswersByPost; readonly answers: LoginAnswers } {
  const provider = providerNamed(name, options);
  const { answers } = options;
  if (!answersByPost(provider) || answers === undefined) {
    throw new LatchgateError('login_unknown', 'this login is not one by SAML');
  }
  return { provider, answers };
}
