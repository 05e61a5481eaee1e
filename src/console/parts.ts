import { html, type Markup } from '../login/html.ts';
import { show } from '../mapping/visible.ts';
import type { Operator } from './sessions.ts';

/** A text of somebody else's: what could disguise it is shown by number. */
export function said(text: string): Markup {
  return html`${show(text)}`;
}

/** `2026-01-02 03:04:05Z`, for machines too. */
export function timeOf(at: Date | number | undefined): Markup {
  if (at === undefined) return html`<span class="soft">never</span>`;
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.replace('T', ' ').replace(/\.\d+Z$/, 'Z')}</time>`;
}

export type Tone = 'main' | 'stop' | 'wait' | 'done' | 'plain';

export function tag(text: string, tone: Tone = 'main'): Markup {
  return html`<span class="tag${tone === 'main' ? '' : ` ${tone}`}">${text}</span>`;
}

export function code(text: string): Markup {
  return html`<code>${show(text)}</code>`;
}

export function link(address: string, text: string | Markup): Markup {
  return html`<a href="${address}">${text}</a>`;
}

export function personLink(id: string, name: string | undefined): Markup {
  return link(`/people/${encodeURIComponent(id)}`, name === undefined ? code(id) : said(name));
}

export function card(title: string, body: Markup): Markup {
  return html`<section class="card"><h2>${title}</h2>${body}</section>`;
}

/** The first cell of a row is its head. `empty` stands there when there is none. */
export function table(
  label: string,
  head: readonly string[],
  rows: readonly (readonly (Markup | undefined)[])[],
  empty: string,
): Markup {
  if (rows.length === 0) return html`<p class="soft">${empty}</p>`;
  const lines = rows.map(([first, ...rest]) => {
    const cells = rest.map(
      (cell, at) =>
        html`<td role="cell" data-label="${head[at + 1]}">${cell ?? html`<span class="soft">–</span>`}</td>`,
    );
    return html`<tr role="row"><th role="rowheader" scope="row">${first}</th>${cells}</tr>`;
  });
  const heads = head.map((name) => html`<th role="columnheader" scope="col">${name}</th>`);
  // The roles say what it is where narrow windows show each row as a block. What scrolls has to be reached by keys.
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table class="stacks" role="table" aria-label="${label}">
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${lines}</tbody>
</table></div>`;
}

export function facts(rows: readonly (readonly [string, Markup | undefined])[]): Markup {
  const shown = rows.filter(([, value]) => value !== undefined);
  return html`<dl>${shown.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

export function textBlock(label: string, text: string): Markup {
  return html`<pre role="region" aria-label="${label}" tabindex="0">${textLines(text)}</pre>`;
}

/** A text of several lines: what is escaped by itself has none. */
export function textLines(text: string): Markup {
  const [first = '', ...rest] = text.replaceAll('\t', '  ').split(/\r\n|[\r\n]/);
  return html`${first}${rest.map(
    (line) => html`
${line}`,
  )}`;
}

export interface ActionForm {
  readonly action: string;
  readonly label: string;
  /** `button`, `quiet`, `danger`; with ` small`. */
  readonly style?: string;
  readonly fields?: Readonly<Record<string, string>>;
}

/** Nothing for a viewer. */
export function actionForm(operator: Operator, { action, label, style = 'quiet', fields = {} }: ActionForm): Markup {
  if (operator.role !== 'operator') return html``;
  const hidden = Object.entries({ token: operator.formToken, ...fields }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  return html`<form method="post" action="${action}">${hidden}<button class="${style}" type="submit">${label}</button></form>`;
}

/** The same behind a question: what it does is read before the button is there. */
export function askFirst(operator: Operator, question: string, what: string, form: ActionForm): Markup {
  if (operator.role !== 'operator') return html``;
  return html`<details class="ask"><summary class="${form.style ?? 'quiet'}">${question}</summary><p>${what}</p>${actionForm(operator, form)}</details>`;
}

export function actions(...all: readonly Markup[]): Markup {
  return all.every(({ text }) => text === '') ? html`` : html`<div class="actions">${all}</div>`;
}
