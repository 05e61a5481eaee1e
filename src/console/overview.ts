import { html, type Markup } from '../login/html.ts';
import { standingOf } from '../sync/standing.ts';
import { activityCharts } from './activity.ts';
import { namesOf } from './names.ts';
import type { Page } from './page.ts';
import { card, code, link, personLink, said, tag, timeOf } from './parts.ts';
import type { Visit } from './visit.ts';

const MOST_PLANS = 200;
const MOST_RETRIES = 10;
const YEAR_MS = 365 * 86_400_000;

/** One thing that somebody should look at. */
interface Concern {
  readonly what: Markup;
  readonly isUrgent: boolean;
}

/** `/`: what needs attention, and how busy it is. */
export async function overviewPage(visit: Visit): Promise<Page> {
  const { deps } = visit;
  const [plans, checks, syncs, drift, retries, sessions] = await Promise.all([
    heldPlans(visit),
    failingChecks(visit),
    lateSyncs(visit),
    drifted(visit),
    waitingRetries(visit),
    deps.gatewaySessions.count(),
  ]);
  const concerns = [...checks, ...plans, ...syncs, ...drift, ...retries];
  const list =
    concerns.length === 0
      ? html`<p>${tag('all is well', 'done')} Nothing waits for you.</p>`
      : html`<ul class="list">${concerns.map(({ what, isUrgent }) => html`<li>${tag(isUrgent ? 'now' : 'soon', isUrgent ? 'stop' : 'wait')} ${what}</li>`)}</ul>`;
  const now = html`<p class="big">${String(sessions)}</p><p>${link('/sessions', sessions === 1 ? 'session' : 'sessions')} at the gateway</p>`;
  const body = html`<div class="grid">${card('Needs attention', list)}${card('Right now', now)}</div>
${await activityCharts(visit, 'day')}`;
  return { section: 'overview', title: 'Overview', body };
}

async function heldPlans({ deps }: Visit): Promise<Concern[]> {
  const plans = await deps.directory.plans.list(MOST_PLANS);
  return plans
    .filter(({ state }) => state === 'held' || state === 'saved')
    .map(({ id, sync, state, at, code: why }) => ({
      isUrgent: state === 'held',
      what: html`Plan ${link(`/plans/${encodeURIComponent(id)}`, code(id))} of ${said(sync)} waits since ${timeOf(at)}${why === undefined ? undefined : html` (${code(why)})`}`,
    }));
}

async function failingChecks({ deps }: Visit): Promise<Concern[]> {
  const { checks } = await deps.readiness();
  return Object.entries(checks)
    .filter(([name, { ok }]) => !ok && !name.startsWith('sync:'))
    .map(([name, { reason, code: why, advisory }]) => ({
      isUrgent: advisory !== true,
      what: html`${code(name)} ${said(reason ?? 'does not answer')}${why === undefined ? undefined : html` (${code(why)})`}`,
    }));
}

async function lateSyncs({ deps }: Visit): Promise<Concern[]> {
  const { directory, clock, sync } = deps;
  const plans = await directory.plans.list(MOST_PLANS);
  /** A plan of its own says so already. */
  const isSaid = (name: string, why: string | undefined): boolean =>
    plans.some((plan) => plan.sync === name && plan.state === 'held' && plan.code === why);
  const all = await Promise.all(
    Object.entries(sync).map(async ([name, entry]) => {
      const standing = await standingOf(name, entry, { ...directory, clock });
      return { name, standing };
    }),
  );
  return all
    .filter(({ name, standing }) => !standing.ok && !isSaid(name, standing.code))
    .map(({ name, standing }) => ({
      isUrgent: true,
      what: html`Sync ${link(`/syncs/${encodeURIComponent(name)}`, said(name))}: ${said(standing.reason)}${standing.code === undefined ? undefined : html` (${code(standing.code)})`}`,
    }));
}

async function drifted({ deps }: Visit): Promise<Concern[]> {
  const seen = await deps.drifts.seen();
  return seen
    .filter(({ count }) => count > 0)
    .map(({ target, at, count, privileged }) => {
      const differences = count === 1 ? '1 difference' : `${count} differences`;
      const rights = privileged === 0 ? '' : `, ${privileged} of privileged rights`;
      return {
        isUrgent: privileged > 0,
        what: html`${link('/drift', differences)} in ${said(target)}${rights}, when it was compared at ${timeOf(at)}`,
      };
    });
}

async function waitingRetries({ deps }: Visit): Promise<Concern[]> {
  const { retries, people } = deps.directory;
  const [count, some] = await Promise.all([
    retries.count(),
    retries.due(new Date(deps.clock.now() + YEAR_MS), MOST_RETRIES),
  ]);
  const names = await namesOf(
    people,
    some.map(({ person }) => person),
  );
  const concerns = some.map(({ person, target, attempts, dueAt, code: why }) => ({
    isUrgent: false,
    what: html`${personLink(person, names.get(person))} in ${said(target)} is tried again at ${timeOf(dueAt)} (${code(why)}, ${String(attempts)} so far)`,
  }));
  const more = count - some.length;
  const rest = { isUrgent: false, what: html`and ${String(more)} more accounts are tried again` };
  return more > 0 ? [...concerns, rest] : concerns;
}
