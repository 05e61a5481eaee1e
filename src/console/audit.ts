import type { AuditRecord } from '../audit/audit.ts';
import type { AuditQuery } from '../audit/search.ts';
import { html, type Markup } from '../login/html.ts';
import { show } from '../mapping/visible.ts';
import { namesOf } from './names.ts';
import type { Page } from './page.ts';
import { card, code, link, personLink, said, table, timeOf } from './parts.ts';
import type { Visit } from './visit.ts';

const PAGE = 50;
const TIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?$/;
const FIELDS = ['person', 'event', 'request', 'since', 'until'] as const;

type Asked = Readonly<Record<(typeof FIELDS)[number], string>>;

/** `/audit?person=&event=&request=&since=&until=&before=`: records, newest first. Times are UTC. */
export async function auditPage({ deps, query }: Visit): Promise<Page> {
  const asked = Object.fromEntries(FIELDS.map((name) => [name, query.get(name)?.trim() ?? ''])) as Asked;
  const person = asked.person === '' ? undefined : await personMeant(deps.directory.people, asked.person);
  const before = Number(query.get('before') ?? Number.NaN);
  const page =
    asked.person !== '' && person === undefined
      ? { records: [] }
      : await deps.auditSearch.find(
          { ...queryOf(asked, person), ...(Number.isSafeInteger(before) && before > 0 ? { before } : {}) },
          PAGE,
        );
  const names = await namesOf(
    deps.directory.people,
    page.records.flatMap((record) => [record.actor, record.person]),
  );
  const head = ['Time', 'Event', 'About', 'By', 'What', 'Why', 'Request', 'No.'];
  const rows = page.records.map((record) => rowOf(record, names));
  const next =
    page.before === undefined
      ? undefined
      : html`<div class="pages"><a class="quiet" href="/audit?${addressOf(asked, String(page.before))}">Older</a></div>`;
  const body = html`${card('Search', form(asked))}
${card('Trace of a request', whyForm(''))}
${card('Records', html`${table('Records', head, rows, 'No record fits.')}${next}`)}`;
  const lead = html`What was done, by whom and because of what. <code>latchgate audit verify</code> says whether it still is what was written.`;
  return { section: 'audit', title: 'Audit', lead, body };
}

/** To the trace behind a request id. */
export function whyForm(id: string): Markup {
  return html`<form class="search" method="get" action="/why"><div class="field"><label for="id">Request id, from a page or a log</label><input id="id" name="id" maxlength="64" value="${id}" spellcheck="false"></div><button class="button" type="submit">Show why</button></form>`;
}

async function personMeant(people: Visit['deps']['directory']['people'], text: string): Promise<string | undefined> {
  const known = await people.get(text);
  if (known !== undefined) return known.id;
  const [first, ...more] = await people.search(text, 2);
  return more.length === 0 ? first?.id : undefined;
}

function queryOf({ event, request, since, until }: Asked, person: string | undefined): AuditQuery {
  const from = timeFrom(since);
  const to = timeFrom(until);
  return {
    ...(person === undefined ? {} : { person }),
    ...(event === '' ? {} : { event }),
    ...(request === '' ? {} : { requestId: request }),
    ...(from === undefined ? {} : { since: from }),
    ...(to === undefined ? {} : { until: to }),
  };
}

/** UTC, whatever the zone of this process is. */
function timeFrom(text: string): Date | undefined {
  if (!TIME.test(text)) return undefined;
  const at = new Date(`${text.replace(' ', 'T').replace('Z', '')}${text.length > 10 ? 'Z' : ''}`);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

function addressOf(asked: Asked, before: string): string {
  const given = Object.entries(asked).filter(([, value]) => value !== '');
  return new URLSearchParams([...given, ['before', before]]).toString();
}

function form({ person, event, request, since, until }: Asked): Markup {
  return html`<form class="search" method="get" action="/audit" role="search">
<div class="field"><label for="person">Person: name, e-mail or id</label><input id="person" name="person" maxlength="256" value="${person}"></div>
<div class="field"><label for="event">Event, such as grant.given or plan.</label><input id="event" name="event" maxlength="64" value="${event}" spellcheck="false"></div>
<div class="field"><label for="request">Request id</label><input id="request" name="request" maxlength="64" value="${request}" spellcheck="false"></div>
<div class="field"><label for="since">From (UTC)</label><input id="since" name="since" type="datetime-local" step="1" value="${localValue(since)}"></div>
<div class="field"><label for="until">Until (UTC)</label><input id="until" name="until" type="datetime-local" step="1" value="${localValue(until)}"></div>
<button class="button" type="submit">Search</button><a class="quiet" href="/audit">Clear</a></form>`;
}

function localValue(text: string): string {
  return timeFrom(text)?.toISOString().slice(0, 19) ?? '';
}

function rowOf(record: AuditRecord, names: ReadonlyMap<string, string>): (Markup | undefined)[] {
  const { seq, at, event, actor, person, origin, rule, code: why, requestId } = record;
  const who = (id: string) => (names.has(id) ? personLink(id, names.get(id)) : said(id));
  const because = [rule, origin, why].filter((part) => part !== undefined);
  return [
    timeOf(at),
    code(event),
    person === undefined ? undefined : who(person),
    who(actor),
    whatOf(record),
    because.length === 0 ? undefined : html`${because.map(show).join(', ')}`,
    requestId === undefined ? undefined : link(`/why?${new URLSearchParams({ id: requestId })}`, code(requestId)),
    html`${String(seq)}`,
  ];
}

/** Target and key, and what was before and after. */
function whatOf(record: AuditRecord): Markup | undefined {
  const { target, key } = record;
  const about = [target, key].filter((part) => part !== undefined).map(show);
  const values = (['before', 'after', 'dropped'] as const).flatMap((name) =>
    record[name] === undefined
      ? []
      : [html`<span class="values"><span class="soft">${name}</span> ${code(JSON.stringify(record[name]))}</span>`],
  );
  return about.length + values.length === 0 ? undefined : html`${about.join(' ')}${values}`;
}
