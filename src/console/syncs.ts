import type { SyncRun } from '../directory/sync-history.ts';
import { html } from '../login/html.ts';
import { LatchgateError } from '../model/errors.ts';
import { scheduleText } from '../sync/due.ts';
import { dueTime } from '../sync/schedule-state.ts';
import { standingOf } from '../sync/standing.ts';
import { namesOf } from './names.ts';
import type { Page } from './page.ts';
import { card, code, facts, link, personLink, said, table, tag, timeOf } from './parts.ts';
import type { Visit } from './visit.ts';

const MOST_RUNS = 50;
const OPS = ['create', 'update', 'disable', 'delete', 'grant', 'revoke', 'held', 'failed', 'skipped'];
const TONES = {
  applied: 'done',
  planned: 'main',
  partial: 'wait',
  held: 'wait',
  stale: 'plain',
  stopped: 'plain',
  failed: 'stop',
} as const;

/** `/syncs`: each sync of the config, and how it stands. */
export async function syncsPage({ deps }: Visit): Promise<Page> {
  const { directory, clock, sync } = deps;
  const rows = await Promise.all(
    Object.entries(sync).map(async ([name, entry]) => {
      const schedule = scheduleText(entry);
      const standing = await standingOf(name, entry, { ...directory, clock });
      const next = schedule === undefined ? undefined : await dueTime(name, directory.values);
      return [
        link(addressOf(name), said(name)),
        html`${said(entry.from)} → ${said(entry.to)}`,
        schedule === undefined ? undefined : html`${entry.do} ${schedule}`,
        standing.ok ? tag('fine', 'done') : tag(standing.code ?? 'not fine', 'stop'),
        said(standing.reason),
        next === undefined ? undefined : timeOf(next),
      ];
    }),
  );
  const head = ['Name', 'From and to', 'Schedule', 'Standing', 'Last run', 'Next'];
  const body = html`<section class="card">${table('Syncs', head, rows, 'The config has no syncs.')}</section>`;
  return { section: 'syncs', title: 'Syncs', body };
}

/** `/syncs/NAME`: how its runs went. Also of one that the config does not have any more. */
export async function syncPage({ deps, part }: Visit): Promise<Page> {
  const name = part('name');
  const entry = Object.hasOwn(deps.sync, name) ? deps.sync[name] : undefined;
  const runs = await deps.directory.syncRuns.recent(name, MOST_RUNS);
  if (entry === undefined && runs.length === 0) throw new LatchgateError('not_found', 'no sync of that name');
  const names = await namesOf(
    deps.directory.people,
    runs.map((run) => run.by),
  );
  const rows = runs.map((run) => [
    timeOf(run.startedAt),
    outcomeOf(run),
    html`${tookText(run)}`,
    html`${countsOf(run)}`,
    names.has(run.by) ? personLink(run.by, names.get(run.by)) : said(run.by),
    run.planId === undefined ? undefined : link(`/plans/${encodeURIComponent(run.planId)}`, code(run.planId)),
    code(run.id),
  ]);
  const head = ['Started', 'Outcome', 'Took', 'Changes', 'By', 'Plan', 'Request'];
  const about =
    entry === undefined
      ? html`<p class="soft">The config does not have this sync any more.</p>`
      : facts([
          ['From', said(entry.from)],
          ['To', said(entry.to)],
          ['Schedule', html`${scheduleText(entry) ?? 'by hand'}`],
          ['What it does', html`${entry.do}`],
        ]);
  const body = html`${card('About', about)}${card('Runs', table('Runs', head, rows, 'It has not run yet.'))}`;
  return { section: 'syncs', title: `Sync ${name}`, body };
}

function outcomeOf({ outcome, code: why }: SyncRun) {
  if (outcome === undefined) return tag('under way', 'wait');
  return html`${tag(outcome, TONES[outcome])}${why === undefined ? undefined : html` ${code(why)}`}`;
}

function tookText({ startedAt, finishedAt }: SyncRun): string {
  return finishedAt === undefined ? '–' : `${Math.round((finishedAt.getTime() - startedAt.getTime()) / 1_000)} s`;
}

function countsOf({ counts }: SyncRun): string {
  const parts = OPS.flatMap((op) => ((counts[op] ?? 0) > 0 ? [`${counts[op]} ${op}`] : []));
  return parts.length === 0 ? 'none' : parts.join(', ');
}

function addressOf(name: string): string {
  return `/syncs/${encodeURIComponent(name)}`;
}
