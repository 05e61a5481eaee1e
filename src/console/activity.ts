import type { EventCount } from '../audit/search.ts';
import { html, type Markup } from '../login/html.ts';
import { chart, type Series } from './chart.ts';
import type { Page } from './page.ts';
import { card, link } from './parts.ts';
import type { Visit } from './visit.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const SPANS = {
  day: { title: 'the last 24 hours', spanMs: HOUR_MS, bars: 24 },
  fortnight: { title: 'the last 14 days', spanMs: DAY_MS, bars: 14 },
} as const;

const LOGINS: readonly Series[] = [
  { name: 'let in', style: 'a', fits: (event) => event === 'login.allowed' },
  { name: 'refused', style: 'b', fits: (event) => event === 'login.refused' },
];

const GAINS = new Set(['account.created', 'account.updated', 'group.created', 'grant.given']);
const LOSSES = new Set(['account.disabled', 'account.deleted', 'grant.taken']);
const TROUBLES = new Set(['change.held', 'account.failed']);

const PROVISIONING: readonly Series[] = [
  { name: 'given or updated', style: 'a', fits: (event) => GAINS.has(event) },
  { name: 'taken back', style: 'b', fits: (event) => LOSSES.has(event) },
  { name: 'held or failed', style: 'c', fits: (event) => TROUBLES.has(event) },
];

/** `/activity?span=day|fortnight`: logins and provisioning, out of the audit. */
export async function activityPage(visit: Visit): Promise<Page> {
  const name = visit.query.get('span') === 'fortnight' ? 'fortnight' : 'day';
  const other = name === 'day' ? 'fortnight' : 'day';
  const lead = html`Out of the audit, for ${SPANS[name].title} (UTC). ${link(`/activity?span=${other}`, `Show ${SPANS[other].title}`)}`;
  return { section: 'activity', title: 'Activity', lead, body: await activityCharts(visit, name) };
}

export async function activityCharts({ deps }: Pick<Visit, 'deps'>, name: keyof typeof SPANS): Promise<Markup> {
  const { spanMs, bars } = SPANS[name];
  const last = Math.floor(deps.clock.now() / spanMs) * spanMs;
  const starts = Array.from({ length: bars }, (_, at) => last - (bars - 1 - at) * spanMs);
  const { counts, isWhole } = await deps.auditSearch.countEvents(new Date(starts[0] ?? last), spanMs);
  const partly = isWhole
    ? undefined
    : html`<p class="soft">So much happened that only the newest records are counted; the metrics have all of it.</p>`;
  const draw = (title: string, series: readonly Series[], own: readonly EventCount[]) =>
    card(title, html`${partly}${chart({ title, series, starts, spanMs, counts: own })}`);
  return html`${draw('Logins', LOGINS, counts)}${draw('Provisioning', PROVISIONING, counts)}`;
}
