/** Text that is markup already. Only `html` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Value = string | Markup | readonly Markup[] | undefined;

/** Everything that is put in is escaped, for content and quoted attributes alike, unless it came out of `html` itself. */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.map((part, index) => part + (index < values.length ? render(values[index]) : '')).join(''));
}

function render(value: Value): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'string') return escapeText(value);
  return value.map(({ text }) => text).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Control characters, and those that turn the direction of a line round: they could dress one sentence up as another. */
const UNREADABLE = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

function escapeText(text: string): string {
  return text.replace(UNREADABLE, '\ufffd').replace(/[&<>"']/g, (found) => ENTITIES[found] as string);
}
