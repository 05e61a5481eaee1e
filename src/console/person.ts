import type { DatedAccountLink, Person } from '../directory/directory.ts';
import { html, type Markup } from '../login/html.ts';
import { show } from '../mapping/visible.ts';
import { type DatedGrant, entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Pin } from '../model/pin.ts';
import { liftPin } from '../review/lift-pin.ts';
import type { Page } from './page.ts';
import { actionForm, actions, askFirst, card, code, facts, link, said, table, tag, timeOf } from './parts.ts';
import { standingOf } from './people.ts';
import { sessionHead, sessionRows } from './session-pages.ts';
import type { Done, Visit } from './visit.ts';

/** `/people/ID`: who it is, what they have and why, and what can be done about it. Never claims. */
export async function personPage(visit: Visit): Promise<Page> {
  const { deps, operator } = visit;
  const person = await personOf(visit);
  const { people, accounts, ledger, pins } = deps.directory;
  const [subjects, linked, grants, pinned, assertions, sessions] = await Promise.all([
    people.subjects(person.id),
    accounts.ofPerson(person.id),
    ledger.ofPerson(person.id),
    pins.ofPerson(person.id),
    people.assertions(person.id),
    deps.gatewaySessions.list(person.id),
  ]);
  const at = addressOf(person.id);
  const body = html`${card('About', about(person))}
${actions(
  person.disabled || person.leftAt !== undefined
    ? askFirst(operator, 'Enable…', `${person.displayName} may log in again, and gets what the rules give.`, {
        action: `${at}/enable`,
        label: 'Enable',
      })
    : html``,
  person.disabled
    ? html``
    : askFirst(
        operator,
        'Disable…',
        `At once: no new login, every session ended, and the accounts switched off in every target.`,
        { action: `${at}/disable`, label: 'Disable', style: 'danger' },
      ),
)}
${card('Grants', grantTable(grants))}
${pinned.length === 0 ? undefined : card('Decided by hand', pinTable(visit, pinned, at))}
${card('Accounts', accountTable(linked))}
${card(
  'Sessions',
  html`${table('Sessions', sessionHead(operator), sessionRows(operator, sessions, at), 'No session.')}
${sessions.length > 1 ? actions(actionForm(operator, { action: `${at}/end-sessions`, label: 'End all sessions', style: 'danger' })) : undefined}`,
)}
${card(
  'Subjects',
  table(
    'Subjects',
    ['Subject', 'Origin', 'Issuer', 'Last said', 'Active'],
    subjects.map(({ issuer, subject, origin }) => {
      const last = assertions.find((one) => one.issuer === issuer && one.subject === subject && one.origin === origin);
      const active = last === undefined ? undefined : last.active ? tag('yes', 'done') : tag('no', 'stop');
      return [code(subject), said(origin), said(issuer), timeOf(last?.at), active];
    }),
    'None.',
  ),
)}
<p class="actions">${auditLink(person.id, 'Everything in the audit about this person')}${EVENTS.map(([event, label]) => auditLink(person.id, label, event))}</p>`;
  return { section: 'people', title: show(person.displayName), lead: standingOf(person), body };
}

export async function disablePerson(visit: Visit): Promise<Done> {
  const { deps, operator, requestId } = visit;
  const { id } = await personOf(visit);
  const signal = new AbortController().signal;
  const states = await deps.provisioner.disable(id, { actor: operator.person, requestId, signal });
  const isDone = [...states.values()].every(({ status }) => status !== 'failed');
  // Who puts themselves out has no page to come back to.
  return { next: addressOf(id), note: isDone ? 'disabled' : 'disabled-partly' };
}

export async function enablePerson(visit: Visit): Promise<Done> {
  const { deps, operator, requestId } = visit;
  const { id } = await personOf(visit);
  await deps.provisioner.enable(id, { actor: operator.person, requestId });
  return { next: addressOf(id), note: 'enabled' };
}

export async function endSessionsOf(visit: Visit): Promise<Done> {
  const { deps, operator, requestId } = visit;
  const { id } = await personOf(visit);
  const ended = await deps.gatewaySessions.destroyFor({ person: id });
  await deps.audit.append([
    { event: 'sessions.ended', actor: operator.person, person: id, after: { ended }, requestId },
  ]);
  return { next: addressOf(id), note: 'sessions-ended' };
}

/** The pin that a form names by target and entitlement. */
export async function liftPinOf(visit: Visit, form: URLSearchParams): Promise<Done> {
  const { deps, operator, requestId } = visit;
  const { id } = await personOf(visit);
  const pinned = await deps.directory.pins.ofPerson(id);
  const pin = pinned.find((one) => one.target === form.get('target') && entitlementKey(one) === form.get('key'));
  if (pin === undefined) throw new LatchgateError('not_found', 'it is not pinned');
  const { directory, audit, provisioner } = deps;
  const again: typeof provisioner.again = (...about) => provisioner.again(...about);
  const state = await liftPin(pin, { actor: operator.person, requestId }, { pins: directory.pins, audit, again });
  return { next: addressOf(id), note: state.status === 'failed' ? 'pin-lifted-partly' : 'pin-lifted' };
}

/** What the audit calls changes of what a person has. */
const EVENTS = [
  ['grant.', 'Grants given, taken and pinned'],
  ['pin.lifted', 'Pins lifted'],
  ['change.undone', 'Changes undone'],
  ['drift.', 'Drift repaired and adopted'],
] as const;

function auditLink(person: string, label: string, event?: string): Markup {
  const query = new URLSearchParams({ person, ...(event === undefined ? {} : { event }) });
  return link(`/audit?${query.toString()}`, label);
}

async function personOf({ deps, part }: Visit): Promise<Person> {
  const person = await deps.directory.people.get(part('id'));
  if (person === undefined) throw new LatchgateError('not_found', 'nobody has this id');
  return person;
}

function addressOf(id: string): string {
  return `/people/${encodeURIComponent(id)}`;
}

function about(person: Person): Markup {
  return facts([
    ['Id', code(person.id)],
    ['E-mail', person.email === undefined ? undefined : said(person.email)],
    ['Known since', timeOf(person.createdAt)],
    ['Last seen', timeOf(person.lastSeenAt)],
    ['Listed by', person.owner === undefined ? undefined : said(person.owner)],
    ['Left', person.leftAt === undefined ? undefined : timeOf(person.leftAt)],
    ['Disabled', person.disabledAt === undefined ? undefined : timeOf(person.disabledAt)],
  ]);
}

function grantTable(grants: readonly DatedGrant[]): Markup {
  const rows = grants.map((grant) => [
    html`${said(entitlementKey(grant))}${grant.label === undefined ? undefined : html` <span class="soft">${said(grant.label)}</span>`}`,
    said(grant.target),
    said(grant.rule),
    said(grant.origin),
    timeOf(grant.since),
    grant.confirmed ? tag('given', 'done') : tag('not confirmed yet', 'wait'),
  ]);
  return table('Grants', ['What', 'Target', 'By rule', 'Because of', 'Since', 'State'], rows, 'Nothing was given.');
}

/** What counts whatever the rules say. */
function pinTable({ operator }: Visit, pinned: readonly Pin[], at: string): Markup {
  const rows = pinned.map((pin) => [
    said(entitlementKey(pin)),
    said(pin.target),
    pin.effect === 'kept' ? tag('kept', 'done') : tag('withheld', 'stop'),
    said(pin.by),
    timeOf(pin.at),
    pin.reason === undefined ? undefined : said(pin.reason),
    ...(operator.role === 'operator'
      ? [
          askFirst(operator, 'Lift…', 'The rules alone decide about it again, at once.', {
            action: `${at}/lift-pin`,
            label: 'Lift',
            style: 'danger small',
            fields: { target: pin.target, key: entitlementKey(pin) },
          }),
        ]
      : []),
  ]);
  const head = [
    'What',
    'Target',
    'Decision',
    'By',
    'Since',
    'Reason',
    ...(operator.role === 'operator' ? ['Action'] : []),
  ];
  return html`<p class="soft">Whatever the rules say, until it is lifted, here or by <code>latchgate pins lift</code>.</p>${table('Decided by hand', head, rows, 'None.')}`;
}

const ACCOUNT_TONES = { ready: 'done', intended: 'wait', disabled: 'stop', closed: 'stop' } as const;

function accountTable(linked: readonly DatedAccountLink[]): Markup {
  const rows = linked.map((account) => [
    said(account.target),
    said(account.userName),
    account.accountId === undefined ? undefined : code(account.accountId),
    tag(account.state, ACCOUNT_TONES[account.state]),
    html`${account.created ? 'by us' : 'was there before'}`,
    timeOf(account.updatedAt),
  ]);
  return table('Accounts', ['Target', 'User name', 'Id there', 'State', 'Made', 'Since'], rows, 'No account.');
}
