import { stringify } from 'yaml';
import { leavesOf, type Option } from './literals.ts';

/** What became of one option. */
interface Fate {
  readonly kind: 'carried' | 'aside' | 'left';
  readonly text: string;
}

export interface Sections {
  readonly [section: string]: unknown;
}

const LINE_LENGTH = 116;

/**
 * One file of another program on its way to being a config of ours. Every option of it ends up in the config or in a
 * comment; one that nobody spoke for is `left`.
 */
export class Migration {
  readonly #program: string;
  readonly #file: string;
  readonly #options: readonly Option[];
  readonly #fates = new Map<Option, Fate>();
  readonly #todos: { readonly line: number; readonly text: string }[] = [];

  /** `file`: as comments call it. */
  constructor(program: string, file: string, options: readonly Option[]) {
    this.#program = program;
    this.#file = oneLine(file);
    this.#options = options.flatMap(leavesOf);
  }

  /** Options of this name or below it. */
  named(name: string): readonly Option[] {
    return this.#options.filter(
      (option) => option.name === name || option.name.startsWith(`${name}.`) || option.name.startsWith(`${name}[`),
    );
  }

  /** It stands in our config, here. */
  carried(name: string, text: string): void {
    this.#say(name, { kind: 'carried', text });
  }

  /** It is about something else than logins and accounts. */
  aside(name: string, text: string): void {
    this.#say(name, { kind: 'aside', text });
  }

  /** It cannot be carried over: somebody has to look at it. */
  left(name: string, text: string): void {
    this.#say(name, { kind: 'left', text });
  }

  /** Something to decide that the file does not say. `line` 0: of no line. */
  todo(text: string, line = 0): void {
    this.#todos.push({ line, text });
  }

  /** Those that nobody has spoken for yet, by name. */
  unspoken(): readonly string[] {
    return this.#options.filter((option) => !this.#fates.has(option)).map(({ name }) => name);
  }

  /** The whole file of config, comments included. */
  render(sections: Sections): string {
    const fates = this.#options.map((option) => ({ option, fate: this.#fates.get(option) ?? UNSPOKEN }));
    const left = fates.filter(({ fate }) => fate.kind === 'left');
    const todos = [
      ...this.#todos.map(({ line, text }) => `${line === 0 ? '' : `line ${line}: `}${text}`),
      ...left.map(({ option, fate }) => `line ${option.line}: ${option.name}: ${fate.text}`),
    ];
    const head = [
      `Made from ${this.#file} by \`latchgate import ${this.#program}\`. Secrets were not copied.`,
      'Go through what is to do, put the secrets where they are looked for, then run `latchgate check`.',
    ];
    const fateLines = fates.map(
      ({ option, fate }) => `line ${option.line}: ${option.name} (${fate.kind}): ${fate.text}`,
    );
    return [
      comment(head),
      ...(todos.length === 0 ? [] : [comment(['', 'TO DO', ...todos.map((todo) => `- ${todo}`)])]),
      ...Object.entries(sections).map(
        ([name, value]) =>
          `\n${stringify({ [name]: value }, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()}`,
      ),
      `\n${comment([`Every option of ${this.#file}, in its order:`, ...fateLines])}\n`,
    ].join('\n');
  }

  #say(name: string, fate: Fate): void {
    for (const option of this.named(name)) if (!this.#fates.has(option)) this.#fates.set(option, fate);
  }
}

const UNSPOKEN: Fate = { kind: 'left', text: 'not known to this importer; nothing here corresponds to it' };

function comment(lines: readonly string[]): string {
  return lines
    .flatMap((line) => wrapped(oneLine(line)))
    .map((line) => `# ${line}`.trimEnd())
    .join('\n');
}

/** Names of options are whatever a file has: nothing of them may end the comment. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, '?');
}

function wrapped(line: string): readonly string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > LINE_LENGTH) {
    const at = rest.lastIndexOf(' ', LINE_LENGTH);
    if (at <= 4) break;
    lines.push(rest.slice(0, at));
    rest = `    ${rest.slice(at + 1)}`;
  }
  return [...lines, rest];
}
