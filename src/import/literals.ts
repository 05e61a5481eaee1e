/** A value as a file of another program has it. Lines begin at 1. */
export type Literal =
  | { readonly kind: 'scalar'; readonly value: string | number | boolean | null; readonly line: number }
  | { readonly kind: 'list'; readonly items: readonly Literal[]; readonly line: number }
  | { readonly kind: 'map'; readonly entries: readonly Entry[]; readonly line: number }
  /** A variable of the environment. */
  | { readonly kind: 'env'; readonly name: string; readonly fallback?: string; readonly line: number }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  /** Only the program itself can work it out. */
  | { readonly kind: 'code'; readonly line: number };

export interface Entry {
  readonly key: string;
  readonly value: Literal;
  readonly line: number;
}

/** One option of a file, by its whole name: `OAUTH_PROVIDERS[0].name`, `auth.azuread.client_id`. */
export interface Option {
  readonly name: string;
  readonly line: number;
  readonly value: Literal;
}

/** The options in an option: one for each value, empty lists and maps included. */
export function leavesOf(option: Option): readonly Option[] {
  const { name, value } = option;
  if (value.kind === 'map' && value.entries.length > 0) {
    return value.entries.flatMap(({ key, value: inner, line }) =>
      leavesOf({ name: `${name}${/^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`}`, line, value: inner }),
    );
  }
  if (value.kind === 'list' && value.items.some(({ kind }) => kind === 'map' || kind === 'list')) {
    return value.items.flatMap((item, index) => leavesOf({ name: `${name}[${index}]`, line: item.line, value: item }));
  }
  return [option];
}

export function memberOf(value: Literal | undefined, key: string): Literal | undefined {
  // As Python and YAML 1.1 take it: the last one counts.
  return value?.kind === 'map' ? value.entries.findLast((entry) => entry.key === key)?.value : undefined;
}

/** The text of a value that is one, and does not come from elsewhere. */
export function plainText(value: Literal | undefined): string | undefined {
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

export function plainFlag(value: Literal | undefined): boolean | undefined {
  if (value?.kind !== 'scalar') return undefined;
  if (typeof value.value === 'boolean') return value.value;
  const text = String(value.value).toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(text)) return true;
  return ['false', '0', 'no', 'off'].includes(text) ? false : undefined;
}

/** Texts of a list, or of one text; undefined: not all of them are texts. */
export function plainTexts(value: Literal | undefined): readonly string[] | undefined {
  const items = value?.kind === 'list' ? value.items : value === undefined ? [] : [value];
  const texts = items.map(plainText);
  return texts.every((text): text is string => text !== undefined) ? texts : undefined;
}

/** A text of another program in our config, where `${` begins something else. */
export function escaped(text: string): string {
  // A function, because of what `$` means in a text of replacement.
  return text.replaceAll('${', () => '$${');
}

/** The value as our config has it: variables stay variables. undefined: it is no text. */
export function configText(value: Literal | undefined): string | undefined {
  if (value?.kind === 'env') return `\${${value.name}${value.fallback === undefined ? '' : `:-${value.fallback}`}}`;
  if (value?.kind === 'file') return `\${file:${value.path}}`;
  const text = value?.kind === 'scalar' && typeof value.value === 'number' ? String(value.value) : plainText(value);
  return text === undefined ? undefined : escaped(text);
}

/** The same of an address; undefined also where it holds a user name or password. */
export function addressText(value: Literal | undefined): string | undefined {
  const text = configText(value);
  return text !== undefined && /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*@/i.test(text) ? undefined : text;
}

/** A reference to a secret, never the secret: a variable or file as it was, else a file of this name. */
export function secretReference(value: Literal | undefined, file: string): string {
  if (value?.kind === 'env') return `\${${value.name}}`;
  return value?.kind === 'file' ? `\${file:${value.path}}` : `\${file:/run/secrets/${file}}`;
}

/** A pattern of our config that fits this text alone. */
export function exactly(text: string): string {
  const isPlain = !text.startsWith('~') && !text.includes('*');
  return escaped(isPlain ? text : `~${quoted(text)}`);
}

/** A text inside a regular expression of RE2. */
export function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
