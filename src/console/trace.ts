import { html, type Markup } from '../login/html.ts';
import { show } from '../mapping/visible.ts';
import type { OriginTrace, RuleTrace, Trace } from '../model/desired.ts';
import { card, code, said, table, tag } from './parts.ts';

/** Why a decision is what it is: groups, rules, notes. Without the values of attributes. */
export function traceView(trace: Trace): Markup {
  return html`${trace.origins.map(groupsCard)}${card('Rules', rulesOf(trace))}${
    trace.notes.length === 0
      ? undefined
      : card('Notes', html`<ul class="list">${trace.notes.map((note) => html`<li>${show(note)}</li>`)}</ul>`)
  }`;
}

const ABSENT = {
  keep: 'Not sent, and groups_absent is keep: what is there stays, and rules see the groups of last time.',
  empty: 'Not sent, and groups_absent is empty: this person is in no group.',
  unheard: 'Left out, and nobody could be asked: what is there stays, and rules see the groups of last time.',
};

function groupsCard({ origin, groups, groupsAbsent }: OriginTrace): Markup {
  const rows = groups.map(({ value, name, kept, by }) => [
    code(value),
    kept ? tag('kept', 'done') : tag('dropped', 'plain'),
    name === value ? undefined : code(name),
    code(by),
  ]);
  const absent = groupsAbsent === undefined ? undefined : html`<p>${ABSENT[groupsAbsent]}</p>`;
  const title = `Groups from ${show(origin)}`;
  return card(
    title,
    html`${absent}${table(title, ['Group', 'Taken in', 'Here', 'Decided by'], rows, 'None taken in.')}`,
  );
}

function rulesOf({ rules, origins }: Trace): Markup {
  if (rules.length === 0) return html`<p class="soft">No rule was looked at.</p>`;
  return html`<ul class="list">${rules.map((rule) => ruleItem(rule, origins.length > 1))}</ul>`;
}

function ruleItem(rule: RuleTrace, severalOrigins: boolean): Markup {
  const { name, origin, matched, because, gave, denies, refused } = rule;
  return html`<li>${matched ? tag('fits', 'done') : tag('no fit', 'plain')} <strong>${show(name)}</strong>${
    severalOrigins ? html` <span class="soft">by ${said(origin)}</span>` : undefined
  }
<ul class="plainlist">${because.map((line) => html`<li>${show(line)}</li>`)}${gave.map(
    (given) => html`<li>gives ${code(given)}</li>`,
  )}${refused.map(
    (one) => html`<li>${tag('refused', 'stop')} ${code(one.entitlement)}: ${show(one.why)} (${one.code})</li>`,
  )}${denies === undefined ? undefined : html`<li>${tag('denies', 'stop')} ${show(denies)}</li>`}</ul></li>`;
}
