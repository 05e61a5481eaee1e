import { randomBytes } from 'node:crypto';
import type { Response } from 'express';
import { requestIdOf, setOwnHeaders } from '../login/answer.ts';
import { html, Markup } from '../login/html.ts';
import type { Operator } from './sessions.ts';
import { STYLE } from './style.ts';

/** Where in the menu a page is. */
export type Section = 'overview' | 'people' | 'sessions' | 'plans' | 'syncs' | 'drift' | 'audit' | 'try' | 'activity';

/** One page, without what all have. */
export interface Page {
  /** Absent: of no section. */
  readonly section?: Section;
  readonly title: string;
  /** Beneath the title. */
  readonly lead?: Markup;
  readonly body: Markup;
  /** Default 200. */
  readonly status?: number;
}

/** What an action did, for the page that is shown next. */
export interface Note {
  readonly text: string;
  readonly tone: 'done' | 'stop';
  readonly requestId: string;
}

export interface Frame {
  /** Absent: nobody is known. */
  readonly operator?: Operator;
  readonly note?: Note;
  /** Plans that wait for a person. */
  readonly waiting?: number;
}

const MENU: readonly (readonly [Section, string, string])[] = [
  ['overview', '/', 'Overview'],
  ['people', '/people', 'People'],
  ['sessions', '/sessions', 'Sessions'],
  ['plans', '/plans', 'Plans'],
  ['syncs', '/syncs', 'Syncs'],
  ['drift', '/drift', 'Drift'],
  ['audit', '/audit', 'Audit'],
  ['activity', '/activity', 'Activity'],
  ['try', '/try', 'Try the mapping'],
];

/** The one style that the policy lets in is that of this answer. Nothing runs, nothing is fetched, nobody frames it. */
export function sendConsolePage(res: Response, page: Page, frame: Frame): void {
  setOwnHeaders(res);
  const nonce = randomBytes(16).toString('base64url');
  res.statusCode = page.status ?? 200;
  res.setHeader(
    'Content-Security-Policy',
    `default-src 'none'; style-src 'nonce-${nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  );
  // With `no-referrer` the Origin of a form would be `null`.
  res.setHeader('Referrer-Policy', 'same-origin');
  res.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
  res.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  res.setHeader('Content-Type', 'text/html; charset=utf-8');
  res.end(layout(page, frame, { nonce, requestId: requestIdOf(res) }));
}

function layout(
  page: Page,
  { operator, note, waiting = 0 }: Frame,
  { nonce, requestId }: { readonly nonce: string; readonly requestId: string },
): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${page.title} · Latchgate</title>
<style nonce="${nonce}">${new Markup(STYLE)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top"><div class="bar">
<a class="brand" href="/">${SIGN}Latchgate</a>
${operator === undefined ? undefined : who(operator)}
${operator === undefined ? undefined : menu(page.section, waiting)}
</div></header>
<main id="content" tabindex="-1">
${note === undefined ? undefined : noteOf(note)}
<h1>${page.title}</h1>
${page.lead === undefined ? undefined : html`<p class="lead">${page.lead}</p>`}
${page.body}
</main>
<footer>Request <code>${requestId}</code></footer>
</body>
</html>
`.text;
}

const SIGN = html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 11V8a4 4 0 0 1 8 0v3"/><rect x="5" y="11" width="14" height="9" rx="2"/><path d="M12 15v2"/></svg>`;

function who({ displayName, role, formToken }: Operator): Markup {
  return html`<div class="who"><span><strong>${displayName}</strong> <span class="tag plain">${role}</span></span>
<form method="post" action="/logout"><input type="hidden" name="token" value="${formToken}"><button class="quiet small" type="submit">Log out</button></form></div>`;
}

function menu(section: Section | undefined, waiting: number): Markup {
  const items = MENU.map(([name, address, label]) => {
    const current = name === section ? html` aria-current="page"` : undefined;
    const count = name === 'plans' && waiting > 0 ? html` <span class="count">${String(waiting)}</span>` : undefined;
    return html`<li><a href="${address}"${current}>${label}${count}</a></li>`;
  });
  return html`<nav aria-label="Pages"><ul class="menu">${items}</ul></nav>`;
}

function noteOf({ text, tone, requestId }: Note): Markup {
  return html`<p class="note ${tone}" role="status">${text} <span class="nowrap">(request <code>${requestId}</code>)</span></p>`;
}
