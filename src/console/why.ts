import type { DecisionRecord } from '../directory/decisions.ts';
import { html, type Markup } from '../login/html.ts';
import { show } from '../mapping/visible.ts';
import { whatToDo } from '../provisioning/remedies.ts';
import { whyForm } from './audit.ts';
import { namesOf } from './names.ts';
import type { Page } from './page.ts';
import { card, code, facts, link, personLink, said, type Tone, tag, timeOf } from './parts.ts';
import { traceView } from './trace.ts';
import type { Visit } from './visit.ts';

const TONES: Readonly<Record<DecisionRecord['outcome'], Tone>> = {
  allow: 'done',
  deny: 'stop',
  held: 'wait',
  error: 'stop',
};

/** `/why?id=ID`: the whole trace behind a request id on a page or in a log. */
export async function whyPage({ deps, query }: Visit): Promise<Page> {
  const id = query.get('id')?.trim() ?? '';
  const record = id === '' ? undefined : await deps.directory.decisions.get(id);
  const page = { section: 'audit', title: 'Why' } as const;
  const ask = card('Request', whyForm(id));
  if (record === undefined) {
    const nothing = html`<p class="note stop" role="status">No decision is known of this request. They are kept for 90 days; what was done under the id may be ${link(`/audit?${new URLSearchParams({ request: id }).toString()}`, 'in the audit')}.</p>`;
    return { ...page, body: html`${id === '' ? undefined : nothing}${ask}`, status: id === '' ? 200 : 404 };
  }
  const names = await namesOf(deps.directory.people, [record.person]);
  const body = html`${ask}
${card('Decision', about(record, names))}
${todo(record)}
${record.held === undefined || record.held.length === 0 ? undefined : card('Held', heldList(record.held))}
${record.trace === undefined ? undefined : traceView(record.trace)}`;
  const lead = html`${tag(record.outcome, TONES[record.outcome])}${record.code === undefined ? undefined : html` ${code(record.code)}`}`;
  return { ...page, title: 'Why', lead, body };
}

function about(record: DecisionRecord, names: ReadonlyMap<string, string>): Markup {
  const { requestId, at, person, origin, message, detail = {} } = record;
  return facts([
    ['Request', code(requestId)],
    ['Time', timeOf(at)],
    ['Person', person === undefined ? undefined : personLink(person, names.get(person))],
    ['Origin', origin === undefined ? undefined : said(origin)],
    ['The person read', message === undefined ? undefined : said(message)],
    ...Object.entries(detail).map(
      ([name, value]) => [name, said(typeof value === 'string' ? value : JSON.stringify(value))] as const,
    ),
    ['Audit', link(`/audit?${new URLSearchParams({ request: requestId }).toString()}`, 'what was done')],
  ]);
}

function todo(record: DecisionRecord): Markup | undefined {
  const lines = whatToDo(record).map((line) => html`<li>${show(line)}</li>`);
  if (lines.length === 0) return undefined;
  const owner = record.detail?.['owner'];
  const whose = typeof owner === 'string' ? html`<p>${personLink(owner, 'Whose it is so far')}</p>` : undefined;
  return card('What to do', html`<ul class="list">${lines}</ul>${whose}`);
}

function heldList(held: NonNullable<DecisionRecord['held']>): Markup {
  const items = held.map(({ target, op, type, key, entitlement, reason, code: why }) => {
    const about = entitlement === undefined ? '' : ` ${entitlement.kind} ${entitlement.name}`;
    return html`<li>${show(`${target}: ${op} ${type} ${key}${about}: ${reason}`)} ${code(why)}</li>`;
  });
  return html`<ul class="list">${items}</ul>`;
}
