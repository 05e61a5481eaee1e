import type { DriftReport, DriftRow, TargetDrift } from '../drift/drift.ts';
import type { Settled } from '../drift/drifts.ts';
import { kindRow } from '../drift/kinds.ts';
import { html, type Markup } from '../login/html.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Page } from './page.ts';
import { askFirst, card, code, link, personLink, said, table, tag, timeOf } from './parts.ts';
import type { Act, Answer, Done, Show, Visit } from './visit.ts';

const MOST_ROWS = 200;

/** `/drift`: asks before it reads, as targets are read for it. */
export const driftPage: Show = async (visit) => page(visit, html``);

/** The same with what differs. A target that cannot be read says so and hides no other. */
export const driftResult: Answer = async (visit) => {
  const cards: Markup[] = [];
  for (const target of visit.deps.drifts.targets) cards.push(await targetCard(visit, target));
  visit.deps.log.info('targets were read for the operators’ page', {
    requestId: visit.requestId,
    person: visit.operator.person,
  });
  return page(visit, html`${cards}`);
};

export const repairDrift: Act = (visit, form) => settle(visit, form, 'repair');

export const adoptDrift: Act = (visit, form) => settle(visit, form, 'adopt');

function page({ deps, operator }: Visit, found: Markup): Page {
  const shadow = deps.drifts.isShadow
    ? html`<p class="note stop">In shadow mode nothing is written: what stands here is what would be done, and has no buttons.</p>`
    : undefined;
  const read = html`<form method="post" action="/drift"><input type="hidden" name="token" value="${operator.formToken}"><button class="button" type="submit">Compare now</button></form>`;
  const lead = html`What targets have that nobody granted, and what was granted and is gone. To compare reads every account of every target, which may take a while; it writes nothing.`;
  return { section: 'drift', title: 'Drift', lead, body: html`${shadow}<div class="actions">${read}</div>${found}` };
}

async function targetCard(visit: Visit, target: string): Promise<Markup> {
  let report: DriftReport;
  try {
    report = await visit.deps.drifts.review(target);
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    const about = { requestId: visit.requestId, target, code: error.code, error };
    visit.deps.log.warn('a target could not be compared', about);
    return card(target, html`<p>${tag('could not be compared', 'stop')} ${code(error.code)}</p>`);
  }
  const { rows, notes, targets, at } = report;
  const shown = rows.slice(0, MOST_ROWS);
  const after = await lastRight(visit, shown);
  const canAct = visit.operator.role === 'operator' && !visit.deps.drifts.isShadow;
  const head = ['Account', 'What differs', 'Kind', 'Since', 'Key', ...(canAct ? ['Action'] : [])];
  const cells = shown.map((row) => [
    accountOf(row),
    html`${row.privileged === true ? html`${tag('privileged', 'stop')} ` : undefined}${said(row.seen)}`,
    html`${code(row.kind)} <span class="soft">${kindRow(row.kind).what}</span>`,
    after.has(row.key) ? html`after ${timeOf(after.get(row.key))}` : html`<span class="soft">not known</span>`,
    code(row.key),
    ...(canAct ? [formsOf(visit, row)] : []),
  ]);
  const more =
    rows.length > MOST_ROWS
      ? html`<p class="soft">The first ${String(MOST_ROWS)} of ${String(rows.length)}; <code>latchgate drift</code> has all.</p>`
      : undefined;
  return card(
    target,
    html`${targets.map((one) => summary(one, rows.length, at))}
${notes.map((note) => html`<p class="soft">${said(note)}</p>`)}
${table(`What differs in ${target}`, head, cells, 'As it should be.')}${more}`,
  );
}

function summary({ complete, accounts, ours, accepted }: TargetDrift, count: number, at: Date): Markup {
  const parts = [
    `${accounts} accounts`,
    `${ours} of people we know`,
    `${count} ${count === 1 ? 'difference' : 'differences'}`,
    ...(accepted === 0 ? [] : [`${accepted} let stand`]),
  ];
  const partly = complete ? undefined : html` ${tag('not every account was shown', 'wait')}`;
  return html`<p class="soft">${parts.join(', ')}, at ${timeOf(at)}${partly}</p>`;
}

function accountOf({ account, person }: DriftRow): Markup {
  if (account === undefined) return html`<span class="soft">the target itself</span>`;
  return person === undefined ? said(account) : personLink(person, account);
}

function formsOf({ operator }: Visit, { kind, target, key, person }: DriftRow): Markup {
  const { repair, adopt } = kindRow(kind);
  const fields = { target, key };
  const repairs =
    repair === undefined || person === undefined
      ? undefined
      : askFirst(operator, 'Repair…', `Writes to ${target}: ${repair}.`, {
          action: '/drift/repair',
          label: 'Repair',
          style: 'danger small',
          fields,
        });
  const adopts =
    adopt === undefined
      ? undefined
      : askFirst(operator, 'Adopt…', `Writes nothing to ${target}: ${adopt}.`, {
          action: '/drift/adopt',
          label: 'Adopt',
          style: 'quiet small',
          fields,
        });
  return html`${repairs}${adopts}`;
}

/** When we last knew it to be right, by key: no target says when somebody changed it. */
async function lastRight(
  { deps: { directory } }: Visit,
  rows: readonly DriftRow[],
): Promise<ReadonlyMap<string, Date>> {
  const after = new Map<string, Date>();
  for (const { key, kind, target, person, accountId, entitlement } of rows) {
    if (person === undefined) continue;
    if (kind === 'entitlement_gone' && entitlement !== undefined) {
      const grants = await directory.ledger.ofPerson(person);
      const what = entitlementKey(entitlement);
      const given = grants.find((grant) => grant.target === target && entitlementKey(grant) === what);
      if (given !== undefined) after.set(key, given.since);
    }
    if (!OF_ACCOUNT.has(kind)) continue;
    const linked = await directory.accounts.ofPerson(person);
    const own = linked.find((account) => account.target === target && account.accountId === accountId);
    if (own !== undefined) after.set(key, own.updatedAt);
  }
  return after;
}

const OF_ACCOUNT = new Set<DriftRow['kind']>([
  'account_gone',
  'account_renamed',
  'account_disabled',
  'account_enabled',
]);

async function settle(visit: Visit, form: URLSearchParams, how: 'repair' | 'adopt'): Promise<Done | Page> {
  const { deps, operator, requestId } = visit;
  const target = form.get('target') ?? '';
  const key = form.get('key') ?? '';
  if (!deps.drifts.targets.includes(target)) throw new LatchgateError('not_found', 'no target of that name');
  let settled: Settled;
  try {
    settled = await deps.drifts[how]({ target, key, actor: operator.person, requestId });
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    if (error.code === 'shadow_mode') return notDone('In shadow mode nothing is written.', error.code);
    if (error.code !== 'not_found') throw error;
    return notDone('This difference is not there any more: compare again.', error.code, 404);
  }
  if (settled.brake !== undefined) {
    const { code: why, message } = settled.brake;
    const command = `latchgate drift repair ${key} --approve`;
    return notDone(html`The brake holds it: ${said(message)}. Whoever wants it all the same: ${code(command)}.`, why);
  }
  const [row] = settled.rows;
  if (row?.outcome === 'done') return { next: '/drift', note: how === 'repair' ? 'repaired' : 'adopted' };
  if (row?.outcome === 'refused') return notDone(`There is nothing that ${how} could do about it.`, row.code);
  return notDone('It was tried and did not work; compare again to see how it stands.', row?.code);
}

function notDone(text: string | Markup, why: string | undefined, status = 409): Page {
  const reason = why === undefined ? undefined : html`<dl><dt>Reason</dt><dd>${code(why)}</dd></dl>`;
  const body = html`<p class="note stop" role="alert">${text}</p>${reason}<p class="actions">${link('/drift', 'Back to drift')}</p>`;
  return { section: 'drift', title: 'Not done', body, status };
}
