import { quote, show } from '../mapping/visible.ts';
import type { Change } from '../model/change.ts';
import { type Alike, type Outline, outlineOf, type PlannedRow, type Section } from './outline.ts';
import {
  amount,
  approvalText,
  CARRIED_TITLE,
  changeText,
  countsText,
  listedText,
  peopleText,
  reasonText,
} from './render-words.ts';
import type { SyncPlan } from './sync.ts';

export interface RenderPlanOptions {
  /** ANSI colours; off by default. */
  readonly color?: boolean;
  /** Every person by themselves, however many there are. */
  readonly all?: boolean;
  /** True: the plan waits under its id and can be approved by it. */
  readonly isKept?: boolean;
}

/** So many names of people who change alike; of those who lose something more. */
const NAMES = 12;
const LOSING_NAMES = 200;
const HELD_ROWS = 30;

const COLORS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

const SIGNS: Readonly<Record<Change['op'], readonly [string, keyof typeof COLORS]>> = {
  create: ['+', 'green'],
  grant: ['+', 'green'],
  update: ['~', 'yellow'],
  disable: ['-', 'red'],
  revoke: ['-', 'red'],
  delete: ['x', 'red'],
};

/** A plan for a terminal, what holds it first. Characters that could disguise a text are shown as `\u{…}`. */
export function renderPlanText(plan: SyncPlan, options: RenderPlanOptions = {}): string {
  const page = new Page(options.color ?? false);
  page.headline(plan, options.isKept ?? false);
  const outline = outlineOf(plan, options.all === true ? { mostRows: Number.POSITIVE_INFINITY } : {});
  page.section('Would lose something', outline.loses, LOSING_NAMES);
  page.section('Would get something', outline.gets, NAMES);
  page.section(CARRIED_TITLE, outline.carried, LOSING_NAMES);
  page.things(outline.things);
  page.held(outline.held, options.all === true ? Number.POSITIVE_INFINITY : HELD_ROWS);
  page.notes(plan.notes);
  const isCut = [outline.loses, outline.gets, outline.carried].some(({ alike }) => alike.length > 0);
  return page.text(
    isCut ? 'People who change alike are put together; --all shows each, --json everything.' : undefined,
  );
}

class Page {
  readonly #lines: string[] = [];
  readonly #color: boolean;

  constructor(color: boolean) {
    this.#color = color;
  }

  text(end: string | undefined): string {
    if (end !== undefined) this.#lines.push(this.#paint('dim', end));
    return `${this.#lines.join('\n').trimEnd()}\n`;
  }

  headline(plan: SyncPlan, isKept: boolean): void {
    const { brake, sync, source, target } = plan;
    if (brake !== undefined) {
      this.#lines.push(
        this.#paint('red', `HELD: ${show(brake.message)} (${brake.code})`),
        '  Not one write is made until a person approves:',
        `    ${approvalText(plan, isKept)}`,
        '',
      );
    }
    const at = plan.createdAt
      .toISOString()
      .replace(/\.\d+Z$/, 'Z')
      .replace('T', ' ');
    this.#lines.push(
      this.#paint('bold', `${sync}: ${countsText(plan)}`),
      `  ${source} -> ${target}; ${listedText(plan)}`,
      `  plan ${plan.id}, ${at}`,
      '',
    );
  }

  section(title: string, { people, rows, alike }: Section, mostNames: number): void {
    if (people === 0) return;
    this.#lines.push(this.#paint('bold', `${title}: ${peopleText(people)}`));
    for (const group of alike) this.#alike(group, mostNames);
    for (const row of rows) this.#row(row);
    this.#lines.push('');
  }

  things(rows: readonly PlannedRow[]): void {
    if (rows.length === 0) return;
    this.#lines.push(this.#paint('bold', `In the target itself: ${amount(rows.length)}`));
    for (const row of rows) this.#row(row);
    this.#lines.push('');
  }

  #row({ key, name, target, changes }: PlannedRow): void {
    const account = name === key ? '' : this.#paint('dim', `   account ${quote(key)}`);
    this.#lines.push(`  ${quote(name)}${elsewhere(target)}${account}`);
    for (const change of changes) {
      const reason = this.#paint('dim', show(reasonText(change)));
      this.#lines.push(`    ${this.#sign(change.op)} ${changeText(change)}   ${reason}`);
    }
  }

  #alike({ rows, changes, isSame }: Alike, mostNames: number): void {
    this.#lines.push(`  ${peopleText(rows.length)}${elsewhere(rows[0]?.target)}`);
    for (const change of changes)
      this.#lines.push(`    ${this.#sign(change.op)} ${changeText(change, { values: isSame })}`);
    const named = rows.slice(0, mostNames).map(({ name }) => quote(name));
    const more = rows.length > mostNames ? ` and ${amount(rows.length - mostNames)} more` : '';
    for (const line of wrapped(named, more)) this.#lines.push(this.#paint('dim', `      ${line}`));
  }

  held(entries: Outline['held'], mostRows: number): void {
    for (const { code, changes } of entries) {
      this.#lines.push(this.#paint('yellow', `Held, ${code}: ${amount(changes.length)}`));
      for (const change of changes.slice(0, mostRows)) {
        const what = `${quote(change.key)}${elsewhere(change.target)}: ${changeText(change)}`;
        this.#lines.push(`  ! ${what}   ${this.#paint('dim', show(change.reason))}`);
      }
      if (changes.length > mostRows) this.#lines.push(`  and ${amount(changes.length - mostRows)} more`);
      this.#lines.push('');
    }
  }

  notes(notes: readonly string[]): void {
    if (notes.length === 0) return;
    this.#lines.push(this.#paint('bold', 'Notes'), ...notes.map((note) => `  ${show(note)}`), '');
  }

  #sign(op: Change['op']): string {
    const [sign, color] = SIGNS[op];
    return this.#paint(color, sign);
  }

  #paint(color: keyof typeof COLORS, text: string): string {
    return this.#color ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text;
  }
}

function elsewhere(target: string | undefined): string {
  return target === undefined ? '' : ` in ${target}`;
}

const LINE_WIDTH = 100;

function wrapped(names: readonly string[], more: string): readonly string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last === undefined || last.length + name.length > LINE_WIDTH) lines.push(name);
    else lines[lines.length - 1] = `${last}, ${name}`;
  }
  const last = lines.pop() ?? '';
  return [...lines.map((line) => `${line},`), `${last}${more}`];
}
