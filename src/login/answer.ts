import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import { FORWARD_SCRIPT, failurePage, forwardPage, type PageFrame } from './pages.ts';
import type { Journey } from './provider.ts';
import { sentenceFor } from './sentences.ts';

const DEFAULT_RETRY_SECONDS = 5;

/** Ways on from a failure, as paths of ours. */
export interface WaysOn {
  readonly retryAddress?: string;
  /** Where another provider can be chosen. */
  readonly chooseAddress?: string;
  readonly switchAddress?: string;
  /** Goes along with the form to `switchAddress`. */
  readonly switchHint?: string;
}

/** The id of this request: what an earlier part set on the answer, else a new one. Never the client's. */
export function requestIdOf(res: ServerResponse): string {
  const known = res.getHeader('X-Request-Id');
  if (typeof known === 'string') return known;
  const id = newRequestId();
  res.setHeader('X-Request-Id', id);
  return id;
}

/** Headers of everything that the gateway itself answers. */
export function setOwnHeaders(res: ServerResponse): void {
  requestIdOf(res);
  res.removeHeader('X-Powered-By');
  for (let at = 0; at < OWN_HEADERS.length; at += 2) {
    res.setHeader(OWN_HEADERS[at] as string, OWN_HEADERS[at + 1] as string);
  }
}

/** The same as a flat list of names and values, for `writeHead`. */
export function ownHeaders(requestId: string): string[] {
  return [...OWN_HEADERS, 'X-Request-Id', requestId];
}

/** False for API calls: no text/html in Accept, X-Requested-With, or a Sec-Fetch-Mode that is no navigation. */
export function wantsPage(req: IncomingMessage): boolean {
  const { accept, 'x-requested-with': requestedWith, 'sec-fetch-mode': mode } = req.headers;
  return (
    accept?.toLowerCase().includes('text/html') === true &&
    requestedWith === undefined &&
    (mode === undefined || mode === 'navigate')
  );
}

/**
 * `posts`: the page has a form that posts. With `no-referrer` its Origin would be `null`; the origin alone says enough.
 * `script`: the one text that may run in it.
 */
export function sendPage(
  res: ServerResponse,
  status: number,
  render: (frame: PageFrame) => string,
  options: { readonly posts?: boolean; readonly script?: string } = {},
): void {
  setOwnHeaders(res);
  const nonce = randomBytes(16).toString('base64url');
  res.statusCode = status;
  res.setHeader('Content-Security-Policy', policy(nonce, options.script));
  if (options.posts === true) res.setHeader('Referrer-Policy', 'strict-origin');
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.end(render({ nonce, requestId: requestIdOf(res) }));
}

/** Sends the browser to a provider: by a redirect, or by a form that it posts there. */
export function sendJourney(res: ServerResponse, status: 302 | 303, journey: Journey): void {
  if (typeof journey === 'string') sendRedirect(res, status, journey);
  else sendPage(res, 200, (frame) => forwardPage(journey, frame), { script: FORWARD_SCRIPT });
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  setOwnHeaders(res);
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.end(JSON.stringify(body));
}

export function sendRedirect(res: ServerResponse, status: 302 | 303, location: string): void {
  setOwnHeaders(res);
  res.statusCode = status;
  res.setHeader('Location', location);
  res.end();
}

/**
 * The page or JSON for a failure: what to do, the reason code and the request id. Nothing else of the error shows.
 * `status` is the error's own by default.
 */
export function sendFailure(
  req: IncomingMessage,
  res: ServerResponse,
  error: LatchgateError,
  ways: WaysOn = {},
  status: number = error.status,
): void {
  const { code, publicMessage } = error;
  if (error.retryAfterSeconds !== undefined || status === 503) {
    res.setHeader('Retry-After', String(Math.ceil(error.retryAfterSeconds ?? DEFAULT_RETRY_SECONDS)));
  }
  const message = publicMessage === undefined ? {} : { message: publicMessage };
  if (wantsPage(req)) {
    const posts = ways.switchAddress !== undefined;
    sendPage(res, status, (frame) => failurePage({ code, ...message, ...ways }, frame), { posts });
    return;
  }
  const loginUrl = ways.retryAddress === undefined ? {} : { login_url: ways.retryAddress };
  sendJson(res, status, {
    error: code,
    message: publicMessage ?? sentenceFor(code).text,
    request_id: requestIdOf(res),
    ...loginUrl,
  });
}

/**
 * No form-action: browsers apply it to where a form's answer redirects, and logging out goes on to the provider.
 */
function policy(nonce?: string, script?: string): string {
  const style = nonce === undefined ? '' : `; style-src 'nonce-${nonce}'`;
  const run =
    script === undefined ? '' : `; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`;
  return `default-src 'none'${style}${run}; base-uri 'none'; frame-ancestors 'none'`;
}

const OWN_HEADERS: readonly string[] = [
  ...['Cache-Control', 'no-store', 'Content-Security-Policy', policy(), 'X-Content-Type-Options', 'nosniff'],
  ...['X-Frame-Options', 'DENY', 'Referrer-Policy', 'no-referrer'],
];
