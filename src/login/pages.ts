import type { ErrorCode } from '../model/errors.ts';
import { html, Markup } from './html.ts';
import type { PostForm } from './provider.ts';
import { sentenceFor } from './sentences.ts';
import { STYLE } from './style.ts';

/** For this one answer: the CSP lets only the style with this nonce in. */
export interface PageFrame {
  readonly nonce: string;
  readonly requestId: string;
}

export interface FailurePage {
  readonly code: ErrorCode;
  /** A sentence of the config for this person; takes the place of ours. */
  readonly message?: string;
  /** Where trying again begins. */
  readonly retryAddress?: string;
  /** Where another provider can be chosen. */
  readonly chooseAddress?: string;
  /** POST address that ends the login at hand, so that somebody else can log in. */
  readonly switchAddress?: string;
  /** By which the provider knows whose login that is. */
  readonly switchHint?: string;
}

export interface ChoicePage {
  readonly logins: readonly { readonly label: string; readonly address: string }[];
  /** There when an e-mail address can choose: where the form goes, and where the login is to end. */
  readonly byEmail?: { readonly action: string; readonly returnTo: string; readonly unknown: boolean };
}

type Tone = 'stop' | 'wait' | 'plain' | 'done';

export function failurePage(page: FailurePage, frame: PageFrame): string {
  const { title, text } = sentenceFor(page.code);
  const retry = page.retryAddress === undefined ? undefined : link(page.retryAddress, 'Try again', 'button');
  const other =
    page.switchAddress === undefined ? undefined : switchForm(page, page.switchAddress, retry === undefined);
  const choice =
    page.chooseAddress === undefined ? undefined : link(page.chooseAddress, 'Other ways to log in', 'quiet');
  const hasWays = retry !== undefined || other !== undefined || choice !== undefined;
  const body = html`<p class="lead">${page.message ?? text}</p>
${hasWays ? html`<div class="actions">${retry}${other}${choice}</div>` : undefined}
${facts(frame, page.code)}`;
  return layout({ title, tone: toneFor(page.code), body }, frame);
}

export function choicePage({ logins, byEmail }: ChoicePage, frame: PageFrame): string {
  const items = logins.map(({ label, address }) => html`<li>${link(address, label, 'choice')}</li>`);
  const body = html`<p class="lead">How would you like to log in?</p>
<ul class="choices">${items}</ul>
${byEmail === undefined ? undefined : emailForm(byEmail)}`;
  return layout({ title: 'Log in', tone: 'plain', body }, frame);
}

export function logoutPage(
  { action, who }: { readonly action: string; readonly who: string },
  frame: PageFrame,
): string {
  const body = html`<p class="lead">You are logged in as <strong>${who}</strong>.</p>
<form class="actions" method="post" action="${action}"><button class="button" type="submit">Log out</button>${link('/', 'Stay', 'quiet')}</form>`;
  return layout({ title: 'Log out?', tone: 'plain', body }, frame);
}

export function breakGlassPage(
  { action, link: handle }: { readonly action: string; readonly link: string },
  frame: PageFrame,
): string {
  const body = html`<p class="lead">This link logs you in once, without your identity provider.</p>
<form class="actions" method="post" action="${action}"><input type="hidden" name="link" value="${handle}"><button class="button" type="submit">Log in</button></form>`;
  return layout({ title: 'Emergency login', tone: 'plain', body }, frame);
}

/** `ended`: this very request did it. */
export function loggedOutPage(
  { loginAddress, ended }: { readonly loginAddress: string; readonly ended: boolean },
  frame: PageFrame,
): string {
  const text = ended
    ? 'You are logged out of this service. On a shared computer, close the browser as well.'
    : 'Nobody is logged in here in this browser.';
  const body = html`<p class="lead">${text}</p>
<div class="actions">${link(loginAddress, ended ? 'Log in again' : 'Log in', 'button')}</div>`;
  return layout({ title: ended ? 'Logged out' : 'You are not logged in', tone: ended ? 'done' : 'plain', body }, frame);
}

/** Run by browsers with scripts; without them the button is pressed. */
export const FORWARD_SCRIPT = 'document.forms[0].submit()';

/** On to the provider, with what it wants to have posted. */
export function forwardPage({ action, fields }: PostForm, frame: PageFrame): string {
  const inputs = Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  const body = html`<p class="lead">You are on the way to your identity provider.</p>
<form class="actions" method="post" action="${action}">${inputs}<button class="button" type="submit">Continue</button></form>
<script>${new Markup(FORWARD_SCRIPT)}</script>`;
  return layout({ title: 'One moment', tone: 'plain', body }, frame);
}

function emailForm({ action, returnTo, unknown }: NonNullable<ChoicePage['byEmail']>): Markup {
  const hint = unknown
    ? html`<p class="hint" id="hint" role="alert">No login is set up for that address. Choose one from the list.</p>`
    : undefined;
  return html`<form class="email" method="get" action="${action}">
<input type="hidden" name="rd" value="${returnTo}">
<label for="address">or by your e-mail address</label>
<div class="row"><input id="address" name="login_hint" type="email" autocomplete="username" maxlength="254" required${unknown ? html` aria-describedby="hint" aria-invalid="true"` : undefined}><button class="button" type="submit">Continue</button></div>
${hint}</form>`;
}

function switchForm({ switchHint }: FailurePage, address: string, isMain: boolean): Markup {
  const style = isMain ? 'button' : 'quiet';
  const hint = switchHint && html`<input type="hidden" name="hint" value="${switchHint}">`;
  return html`<form method="post" action="${address}">${hint}<button class="${style}" type="submit">Log in as somebody else</button></form>`;
}

function link(address: string, label: string, style: string): Markup {
  return html`<a class="${style}" href="${address}">${label}</a>`;
}

function facts({ requestId }: PageFrame, code: ErrorCode): Markup {
  return html`<dl class="facts"><div><dt>Reason</dt><dd>${code}</dd></div><div><dt>Request</dt><dd>${requestId}</dd></div></dl>`;
}

const WAITING = new Set<ErrorCode>([
  'provider_unavailable',
  'target_unavailable',
  'target_pending',
  'lease_lost',
  'state_unavailable',
  'session_store_unavailable',
  'upstream_unavailable',
  'upstream_timeout',
]);

function toneFor(code: ErrorCode): Tone {
  return WAITING.has(code) ? 'wait' : 'stop';
}

const SIGNS: Readonly<Record<Tone, string>> = {
  plain: '<path d="M8 11V8a4 4 0 0 1 8 0v3"/><rect x="5" y="11" width="14" height="9" rx="2"/><path d="M12 15v2"/>',
  stop: '<circle cx="12" cy="12" r="9"/><path d="M12 7.5v5.5"/><path d="M12 16.5v.01"/>',
  wait: '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>',
  done: '<circle cx="12" cy="12" r="9"/><path d="m8.5 12.5 2.5 2.5 4.5-5.5"/>',
};

function layout(
  { title, tone, body }: { readonly title: string; readonly tone: Tone; readonly body: Markup },
  { nonce }: PageFrame,
): string {
  const sign = new Markup(SIGNS[tone]);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<style nonce="${nonce}">${new Markup(STYLE)}</style>
</head>
<body>
<main class="${tone}">
<svg class="sign" viewBox="0 0 24 24" aria-hidden="true">${sign}</svg>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`.text;
}
