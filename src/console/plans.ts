import type { PlanState, StoredPlan } from '../directory/sync-history.ts';
import { html } from '../login/html.ts';
import { LatchgateError } from '../model/errors.ts';
import { decidePlan, isWaiting } from '../sync/decide.ts';
import { parsePlan } from '../sync/plan-json.ts';
import { renderPlanText } from '../sync/render-text.ts';
import { namesOf } from './names.ts';
import type { Page } from './page.ts';
import {
  actionForm,
  actions,
  askFirst,
  card,
  code,
  facts,
  link,
  personLink,
  said,
  type Tone,
  table,
  tag,
  textBlock,
  timeOf,
} from './parts.ts';
import type { Done, Visit } from './visit.ts';

const MOST = 200;

const STATES: Readonly<Record<PlanState, readonly [string, Tone]>> = {
  held: ['held', 'wait'],
  saved: ['waits', 'wait'],
  approved: ['approved', 'main'],
  rejected: ['rejected', 'stop'],
  applied: ['applied', 'done'],
  replaced: ['replaced', 'plain'],
};

function stateOf({ state }: Pick<StoredPlan, 'state'>) {
  return tag(...STATES[state]);
}

/** `/plans`: what waits for a person, and what became of earlier ones. */
export async function plansPage({ deps }: Visit): Promise<Page> {
  const plans = await deps.directory.plans.list(MOST);
  const names = await namesOf(
    deps.directory.people,
    plans.map(({ decidedBy }) => decidedBy),
  );
  const rows = plans.map((plan) => [
    link(addressOf(plan.id), code(plan.id)),
    stateOf(plan),
    said(plan.sync),
    said(plan.target),
    timeOf(plan.at),
    plan.code === undefined ? undefined : code(plan.code),
    by(plan.decidedBy, names),
  ]);
  const head = ['Plan', 'State', 'Sync', 'Target', 'Made', 'Why held', 'Decided by'];
  const body = html`<section class="card">${table('Plans', head, rows, 'No plan waits, and none did lately.')}</section>`;
  return {
    section: 'plans',
    title: 'Plans',
    lead: html`What syncs would do, where a person has to say yes or no.`,
    body,
  };
}

/** `/plans/ID`: the plan as `latchgate plans show` shows it. */
export async function planPage(visit: Visit): Promise<Page> {
  const { deps, operator } = visit;
  const stored = await planOf(visit);
  const { id } = stored;
  const names = await namesOf(deps.directory.people, [stored.decidedBy]);
  const text = renderPlanText({ ...parsePlan(stored.body), id }, { isKept: isWaiting(stored) }).trimEnd();
  const at = addressOf(id);
  const decide = isWaiting(stored)
    ? actions(
        askFirst(
          operator,
          'Approve…',
          'It is applied at once, if it is still true: source and target are read again.',
          {
            action: `${at}/approve`,
            label: 'Approve and apply',
            style: 'button',
          },
        ),
        actionForm(operator, { action: `${at}/reject`, label: 'Reject', style: 'danger' }),
      )
    : stored.state === 'approved'
      ? actions(
          askFirst(
            operator,
            'Apply again…',
            'For when nobody is applying it any more: whoever was may have been stopped.',
            {
              action: `${at}/approve`,
              label: 'Apply again',
            },
          ),
        )
      : html``;
  const body = html`${card(
    'About',
    facts([
      ['Sync', link(`/syncs/${encodeURIComponent(stored.sync)}`, said(stored.sync))],
      ['Target', said(stored.target)],
      ['Made', timeOf(stored.at)],
      ['Held because', stored.code === undefined ? undefined : code(stored.code)],
      ['Decided by', by(stored.decidedBy, names)],
      ['Decided', stored.decidedAt === undefined ? undefined : timeOf(stored.decidedAt)],
    ]),
  )}
${decide}
${card('What it would do', textBlock('The plan', text))}`;
  return { section: 'plans', title: `Plan ${id}`, lead: stateOf(stored), body };
}

export async function approvePlan(visit: Visit): Promise<Done> {
  const { deps, operator, requestId } = visit;
  const stored = await planOf(visit);
  // Approved before: whoever applied it was stopped or died, and it may still be true.
  if (stored.state !== 'approved') await decide(visit, stored, 'approved');
  const { id, sync, fingerprint } = stored;
  deps.applyApproved({ id, sync, fingerprint, by: operator.person, requestId });
  return { next: addressOf(id), note: 'approved' };
}

export async function rejectPlan(visit: Visit): Promise<Done> {
  const stored = await planOf(visit);
  await decide(visit, stored, 'rejected');
  return { next: addressOf(stored.id), note: 'rejected' };
}

async function decide(
  { deps, operator, requestId }: Visit,
  stored: StoredPlan,
  to: 'approved' | 'rejected',
): Promise<void> {
  const { directory, audit, clock } = deps;
  const by = { actor: operator.person, requestId };
  if (await decidePlan(stored, to, by, { plans: directory.plans, audit, clock })) return;
  throw new LatchgateError('plan_decided', 'the plan does not wait any more');
}

async function planOf({ deps, part }: Visit): Promise<StoredPlan> {
  const stored = await deps.directory.plans.get(part('id'));
  if (stored === undefined) throw new LatchgateError('not_found', 'no plan of that id');
  return stored;
}

function by(who: string | undefined, names: ReadonlyMap<string, string>) {
  if (who === undefined) return undefined;
  const name = names.get(who);
  return name === undefined ? said(who) : personLink(who, name);
}

function addressOf(id: string): string {
  return `/plans/${encodeURIComponent(id)}`;
}
