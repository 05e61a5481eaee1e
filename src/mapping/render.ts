import type { Change } from '../model/change.ts';
import type {
  Attributes,
  AttributeValue,
  Decision,
  DesiredAccount,
  OriginTrace,
  RuleTrace,
  Trace,
} from '../model/desired.ts';
import type { GrantedEntitlement } from '../model/entitlement.ts';
import { isHeld, type TargetPlan } from './explain-json.ts';
import { quote, show } from './visible.ts';

export interface RenderOptions {
  /** ANSI colours; off by default. */
  readonly color?: boolean;
  /** What would change in targets that were asked, by target. */
  readonly plans?: ReadonlyMap<string, TargetPlan>;
}

/** The whole decision for a terminal. Characters that could disguise a text are shown as `\u{…}`. */
export function renderTraceText(decision: Decision, options: RenderOptions = {}): string {
  const page = new Page(options.color ?? false);
  page.headline(decision, options.plans);
  page.section('Attributes', attributeRows(decision.trace, decision.attributes));
  page.trace(decision.trace);
  for (const [name, account] of decision.accounts) page.account(name, account, options.plans?.get(name));
  if (decision.accounts.size === 0) page.section('Accounts', ['none: nothing is given in any target']);
  for (const [name, plan] of options.plans ?? []) if (!decision.accounts.has(name)) page.noAccount(name, plan);
  return page.text();
}

/** A trace that was recorded, without the values of attributes: for `why ID`. */
export function renderTrace(trace: Trace, options: Pick<RenderOptions, 'color'> = {}): string {
  const page = new Page(options.color ?? false);
  page.trace(trace);
  return page.text();
}

const COLORS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

class Page {
  readonly #lines: string[] = [];
  readonly #color: boolean;

  constructor(color: boolean) {
    this.#color = color;
  }

  text(): string {
    return `${this.#lines.join('\n').trimEnd()}\n`;
  }

  headline(decision: Decision, plans: RenderOptions['plans']): void {
    const held = decision.decision === 'allow' && isHeld(plans ?? new Map());
    const word = held ? 'held' : decision.decision;
    const tint = { allow: 'green', held: 'yellow', deny: 'red' } as const;
    const code = decision.code === undefined ? '' : ` (${decision.code})`;
    this.#lines.push(this.#paint(tint[word], `${word.toUpperCase()}${code}`));
    if (decision.message !== undefined) this.#lines.push(`  The person reads: ${show(decision.message)}`);
    this.#lines.push('');
  }

  section(title: string, rows: readonly string[]): void {
    if (rows.length === 0) return;
    this.#lines.push(this.#paint('bold', title), ...rows.map((row) => `  ${row}`), '');
  }

  trace(trace: Trace): void {
    for (const origin of trace.origins) this.section(`Groups from ${origin.origin}`, this.#groupRows(origin));
    this.section(
      'Rules',
      trace.rules.flatMap((rule) => this.#ruleRows(rule, trace.origins.length > 1)),
    );
    this.section('Notes', trace.notes.map(show));
  }

  #groupRows(origin: OriginTrace): readonly string[] {
    const rows = origin.groups.map(({ value, name, kept, by }) => {
      const renamed = name === value ? '' : ` -> ${quote(name)}`;
      return `${kept ? this.#paint('green', 'kept   ') : this.#paint('dim', 'dropped')}  ${quote(value)}${renamed}   ${by}`;
    });
    const why = {
      keep: 'not sent; groups_absent: keep, so what is there stays as it is, and rules see the groups of last time',
      unheard:
        'left out, and nobody could be asked: what is there stays as it is, and rules see the groups of last time',
      empty: 'not sent; groups_absent: empty, so this person is in no group',
    };
    if (origin.groupsAbsent !== undefined) rows.unshift(why[origin.groupsAbsent]);
    return rows.length === 0 ? ['none taken in'] : rows;
  }

  #ruleRows(rule: RuleTrace, severalOrigins: boolean): readonly string[] {
    const origin = severalOrigins ? ` [${rule.origin}]` : '';
    const title = rule.matched
      ? this.#paint('green', `fits   ${rule.name}${origin}`)
      : this.#paint('dim', `no fit ${rule.name}${origin}`);
    const refused = rule.refused.map(({ entitlement, code, why }) =>
      this.#paint('red', `    refuses ${show(entitlement)}: ${why} (${code})`),
    );
    return [
      title,
      ...rule.because.map((line) => `    ${show(line)}`),
      ...rule.gave.map((given) => `    gives ${show(given)}`),
      ...refused,
      ...(rule.denies === undefined ? [] : [this.#paint('red', `    denies: ${show(rule.denies)}`)]),
    ];
  }

  account(name: string, account: DesiredAccount, plan: TargetPlan | undefined): void {
    const members = Object.entries(account.profileIfNew).map(
      ([member, value]) => `${member}: ${value === null ? 'cleared' : quote(value)}`,
    );
    const given = account.entitlements.map((row) => `${show(entitlementText(row))}   by ${row.rule} (${row.origin})`);
    this.section(`Account in ${name}`, [
      `user name: ${account.userNames.map(quote).join(', else ') || 'none of its claims was sent'}`,
      `external id: ${quote(account.externalId)}`,
      foundBy(account),
      ...(account.active ? [] : [this.#paint('red', 'not active')]),
      ...members,
      ...(given.length === 0 ? ['no entitlements'] : given),
      ...(account.leaveAlone.length === 0
        ? []
        : [
            `an existing account keeps what it has from: ${account.leaveAlone.map((origin) => keptText(account, origin)).join(', ')}`,
          ]),
      ...this.#planRows(plan),
    ]);
  }

  noAccount(name: string, plan: TargetPlan): void {
    this.section(`Account in ${name}`, ['none is given', ...this.#planRows(plan)]);
  }

  #planRows(plan: TargetPlan | undefined): readonly string[] {
    if (plan === undefined) return [];
    const changes = plan.changes.map((change) => `${changeText(change)}`);
    const held = plan.held.map((change) => this.#paint('yellow', `held: ${changeText(change)} (${change.code})`));
    return [
      ...(plan.pinned ?? []).map((line) => this.#paint('yellow', show(line))),
      'changes against what is there:',
      ...[...changes, ...held].map((row) => `  ${row}`),
      ...(changes.length + held.length === 0 ? ['  none'] : []),
    ];
  }

  #paint(color: keyof typeof COLORS, text: string): string {
    return this.#color ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text;
  }
}

function attributeRows({ origins, authority = [] }: Trace, attributes: Attributes): readonly string[] {
  const givers = new Map(authority.map(({ name, origin }) => [name, origin]));
  const names = [...new Set(origins.flatMap((one) => one.attributes.map(({ name }) => name)))];
  const width = Math.max(0, ...names.map((name) => name.length));
  const isOne = authority.length === 0;
  return (isOne ? (origins[0]?.attributes.map(({ name }) => name) ?? []) : names).map((name) => {
    const giver = givers.get(name);
    const origin = giver === undefined ? origins[0] : origins.find((one) => one.origin === giver);
    const { claim, by } = origin?.attributes.find((one) => one.name === name) ?? { claim: null, by: 'absent' };
    const isGiven = Object.hasOwn(attributes, name);
    if (by === 'absent' && !isGiven) return `${name.padEnd(width)}  not sent`;
    const value = isGiven ? valueText(attributes[name] ?? null) : 'refused';
    const from = by === 'absent' ? 'both halves of it' : `${quote(claim ?? '')}${by === 'path' ? ' as a path' : ''}`;
    return `${name.padEnd(width)}  ${value}   from ${from}${giver === undefined ? '' : ` of ${giver}`}`;
  });
}

function valueText(value: AttributeValue): string {
  if (value === null) return 'empty';
  if (typeof value === 'string') return quote(value);
  return typeof value === 'boolean' ? String(value) : `[${value.map(quote).join(', ')}]`;
}

/** How far `identity.match` may go with this person. */
function foundBy({ matchExternalId, emailTrusted }: DesiredAccount): string {
  const ways = [...(matchExternalId ? ['external id'] : []), ...(emailTrusted ? ['e-mail'] : [])];
  return `an account that is there may be found by: ${ways.join(', ') || 'neither external id nor e-mail'}`;
}

function entitlementText({ kind, name, scope }: GrantedEntitlement): string {
  return `${kind} ${quote(name)}${scope === undefined ? '' : ` on ${quote(scope)}`}`;
}

function changeText(change: Change): string {
  const fields = (change.fields ?? []).map(
    ({ field, before, after }) => `${field}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`,
  );
  const about = change.entitlement === undefined ? '' : ` ${change.entitlement.kind} ${quote(change.entitlement.name)}`;
  return show(
    `${change.op} ${change.type} ${quote(change.key)}${about}${fields.length === 0 ? '' : ` (${fields.join(', ')})`}`,
  );
}

function keptText({ groupRules }: DesiredAccount, origin: string): string {
  const rules = groupRules?.[origin];
  return rules === undefined ? origin : `${origin} (by ${rules.join(', ')})`;
}
