import { ERRORS } from '../model/errors.ts';
import { COMPLAINTS } from './complaint.ts';
import { configJsonSchema, type JsonSchema } from './json-schema.ts';

/** One key of the config language, as the reference shows it. */
export interface DocumentedKey {
  /** `login.NAME.issuer`, `routes[].path`. */
  readonly path: string;
  readonly type: string;
  /** As it is written in YAML; undefined when there is none. */
  readonly default?: string;
  readonly required: boolean;
  readonly meaning: string;
}

const GENERATED = '<!-- Made by `npm run docs` from the source. Do not edit. -->';

/** docs/config-reference.md: every key with type, default and meaning. */
function configReference(): string {
  const keys = documentedKeys();
  const sections = new Map<string, DocumentedKey[]>();
  for (const key of keys) {
    const section = /^[^.[]+/.exec(key.path)?.[0] ?? key.path;
    sections.set(section, [...(sections.get(section) ?? []), key]);
  }
  const single = [...sections.values()].filter((rows) => rows.length === 1).flat();
  const several = [...sections].filter(([, rows]) => rows.length > 1);
  const parts = several.map(
    ([section, [head, ...rows]]) => `## \`${section}\`\n\n${head?.meaning ?? ''}\n\n${keyTable(rows)}`,
  );
  return `${GENERATED}\n\n${REFERENCE_INTRODUCTION}\n\n## Single keys\n\n${keyTable(single)}\n\n${parts.join('\n\n')}\n`;
}

const REFERENCE_INTRODUCTION = `# Config reference

The configuration is one YAML 1.2 file. \`latchgate check --config FILE\` reads it and says everything that is wrong with it, each
with its place. Unknown keys are errors. [config/reference.yaml](../config/reference.yaml) shows every key in use, and
\`latchgate schema\` prints the same as JSON Schema, for editors.

- Lists also take one comma-separated text; numbers, \`true\` and \`false\` also stand in quotes. Texts that rules compare
  (\`when\`) are the exception: a comma there is part of the text.
- \`\${NAME}\` is a variable of the environment, \`\${NAME:-default}\` has a default for when it is unset or empty, and
  \`\${file:/path}\` is the text of a secret file without its last newline. \`$\${\` writes a literal \`\${\`. What was put in is not
  read again. Values take them, keys do not.
- In \`rules.NAME.grant\` and \`default.grant\`, \`\${…}\` is always a capture of the rule and never a variable, so that the
  environment cannot decide who gets what.
- Relative paths are relative to the file. A duration is a number and a unit: \`30s\`, \`5m\`, \`12h\`, \`30d\`.
- A file that has \`sync\` and neither \`login\` nor \`routes\` serves nobody: it needs no \`public_url\` and no \`session\` either,
  but for a target of the type superset.
- A pattern is exact, a glob (\`*\` anywhere), or, after \`~\`, an RE2 regular expression on the whole value, in which
  \`(?<name>…)\` captures.`;

/** docs/errors.md: every code with its HTTP status and help, and every kind of complaint about a configuration. */
function errorReference(): string {
  const errors = Object.entries(ERRORS).map(([code, row]) => [
    `\`${code}\``,
    String(row.status),
    row.retryable ? 'yes' : 'no',
    row.help,
  ]);
  const complaints = Object.entries(COMPLAINTS).map(([code, help]) => [`\`${code}\``, help]);
  return `${GENERATED}

# Errors

Every failure has a stable code. It stands on the page or in the JSON that a person or client gets, in the log and in the audit.
Programs branch on the code, never on a sentence. "Again" says whether trying again later can help.

${table(['Code', 'HTTP status', 'Again', 'What it means and what to do'], errors)}

## Complaints about the configuration

\`latchgate check\` prints them as \`file:line:column: code: sentence (hint)\` and ends with exit code 2, as does every command that
needs the file. \`warning:\` before a line says that the file is accepted.

${table(['Code', 'What it means'], complaints)}
`;
}

/** Every key of the language, in the order of the schema. */
export function documentedKeys(): readonly DocumentedKey[] {
  const schema = configJsonSchema();
  return keysOf(schema, '', (schema['$defs'] ?? {}) as Definitions);
}

type Definitions = Readonly<Record<string, JsonSchema>>;

function keysOf(schema: JsonSchema, path: string, definitions: Definitions): readonly DocumentedKey[] {
  // A block of `not` is a condition again.
  if (path.endsWith('.not')) return [];
  const forms = formsOf(resolved(schema, definitions), definitions);
  const byForm = forms.map((form) => ({ kind: kindOf(form), keys: keysOfForm(form, path, definitions) }));
  return forms.length === 1 ? (byForm[0]?.keys ?? []) : joinForms(byForm);
}

function keysOfForm(form: JsonSchema, path: string, definitions: Definitions): readonly DocumentedKey[] {
  const keys: DocumentedKey[] = [];
  const required = new Set([form, form['else']].flatMap(requiredBy));
  for (const [name, member] of Object.entries((form['properties'] as Record<string, JsonSchema> | undefined) ?? {})) {
    const keyPath = path === '' ? name : `${path}.${name}`;
    keys.push(describe(member, keyPath, required.has(name)), ...keysOf(member, keyPath, definitions));
  }
  const any = form['additionalProperties'];
  if (isSchema(any)) {
    const entryPath = `${path}.${entryWord(path)}`;
    if (typeof any['description'] === 'string') keys.push(describe(any, entryPath, false));
    keys.push(...keysOf(any, entryPath, definitions));
  }
  const items = form['items'];
  if (isSchema(items)) keys.push(...keysOf(items, `${path}[]`, definitions));
  return keys;
}

function requiredBy(form: unknown): readonly string[] {
  return isSchema(form) ? ((form['required'] as readonly string[] | undefined) ?? []) : [];
}

function entryWord(path: string): string {
  if (path.endsWith('grant')) return 'TARGET';
  return /(when|claims)$/.test(path) ? 'ATTRIBUTE' : 'NAME';
}

function resolved(schema: JsonSchema, definitions: Definitions): JsonSchema {
  const reference = schema['$ref'];
  return typeof reference === 'string' ? (definitions[reference.replace('#/$defs/', '')] ?? schema) : schema;
}

/** The alternatives of a value. */
function formsOf(schema: JsonSchema, definitions: Definitions): readonly JsonSchema[] {
  const forms = (schema['oneOf'] ?? schema['anyOf']) as readonly JsonSchema[] | undefined;
  return forms === undefined ? [schema] : forms.flatMap((form) => formsOf(resolved(form, definitions), definitions));
}

/** The word in `type` that tells kinds of entries apart. */
function kindOf(form: JsonSchema): string | undefined {
  const type = (form['properties'] as Record<string, JsonSchema> | undefined)?.['type'];
  return typeof type?.['const'] === 'string' ? type['const'] : undefined;
}

type FormKeys = { readonly kind: string | undefined; readonly keys: readonly DocumentedKey[] };

/** A key that every kind has in the same form stands once, others once for each kind, which the meaning then names. */
function joinForms(forms: readonly FormKeys[]): readonly DocumentedKey[] {
  const isShared = (key: DocumentedKey): boolean =>
    forms.every(({ keys }) => keys.some((other) => JSON.stringify(other) === JSON.stringify(key)));
  const own = forms.flatMap(({ kind, keys }) =>
    keys
      .filter((key) => !isShared(key))
      .map((key) => (kind === undefined ? key : { ...key, meaning: `\`${kind}\`: ${key.meaning}` })),
  );
  return [...own, ...(forms[0]?.keys ?? []).filter(isShared)];
}

function describe(schema: JsonSchema, path: string, required: boolean): DocumentedKey {
  const byDefault = schema['default'];
  const shown =
    byDefault === undefined || (isSchema(byDefault) && Object.keys(byDefault).length === 0)
      ? undefined
      : showDefault(byDefault);
  return {
    path,
    type: typeOf(schema),
    ...(shown === undefined ? {} : { default: shown }),
    required,
    meaning: typeof schema['description'] === 'string' ? schema['description'] : '',
  };
}

function showDefault(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => (item === '*' ? '"*"' : String(item))).join(', ')}]`;
  return value === '' ? '""' : String(value);
}

function typeOf(schema: JsonSchema): string {
  if (typeof schema['title'] === 'string') return schema['title'];
  const words = formsOf(schema, {}).flatMap(
    (form) => (form['enum'] as readonly unknown[] | undefined) ?? ('const' in form ? [form['const']] : []),
  );
  if (words.length > 0) return [...new Set(words.map((word) => `\`${String(word)}\``))].join(', ');
  const types: Readonly<Record<string, string>> = { object: 'map', array: 'list', string: 'text' };
  return types[String(formsOf(schema, {})[0]?.['type'])] ?? 'map';
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function keyTable(keys: readonly DocumentedKey[]): string {
  const rows = keys.map((key) => [
    `\`${key.path}\``,
    key.type,
    key.default === undefined ? (key.required ? 'needed' : '') : `\`${key.default}\``,
    key.meaning,
  ]);
  return table(['Key', 'Type', 'Default', 'Meaning'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- ').join('|')}|`, ...rows.map(line)].join('\n');
}

/** Every page that is made from the source, by its file in the project. */
export const GENERATED_PAGES: Readonly<Record<string, () => string>> = {
  'docs/config-reference.md': configReference,
  'docs/errors.md': errorReference,
};
