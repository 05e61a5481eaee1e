import { stringify } from 'yaml';
import type { Option } from './literals.ts';

/** What one file of another program became. */
export interface Made {
  /** The whole file of config, comments included. */
  readonly config: string;
  /** What somebody has to do; `line` 0: of no line of the file. */
  readonly todo: readonly { readonly line: number; readonly text: string }[];
  /** Every option, in the order of the file. */
  readonly options: readonly {
    readonly line: number;
    readonly name: string;
    readonly fate: Fate['kind'];
    readonly text: string;
  }[];
}

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
    this.#options = options;
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

  finish(sections: Sections): Made {
    const options = this.#options.map((option) => {
      const { kind: fate, text } = this.#fates.get(option) ?? UNSPOKEN;
      return { line: option.line, name: oneLine(option.name), fate, text };
    });
    const left = options.filter(({ fate }) => fate === 'left');
    const todo = [...this.#todos, ...left.map(({ line, name, text }) => ({ line, text: `${name}: ${text}` }))];
    const head = [
      `Made from ${this.#file} by \`latchgate import ${this.#program}\`. Secrets were not copied.`,
      'Go through what is to do, put the secrets where they are looked for, then run `latchgate check`.',
    ];
    const fates = options.map(({ line, name, fate, text }) => `line ${line}: ${name} (${fate}): ${text}`);
    const todoLines = todo.map(({ line, text }) => `- ${line === 0 ? '' : `line ${line}: `}${text}`);
    const parts = [
      comment(head),
      ...(todo.length === 0 ? [] : [comment(['', 'TO DO', ...todoLines])]),
      ...Object.entries(sections).map(([name, value]) => `\n${yaml({ [name]: value })}`),
      `\n${comment([`Every option of ${this.#file}, in its order:`, ...fates])}\n`,
    ];
    return { config: parts.join('\n'), todo, options };
  }

  #say(name: string, fate: Fate): void {
    for (const option of this.named(name)) if (!this.#fates.has(option)) this.#fates.set(option, fate);
  }
}

const UNSPOKEN: Fate = { kind: 'left', text: 'not known to this importer; nothing here corresponds to it' };

function yaml(section: object): string {
  return stringify(section, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

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
