import { show } from '../mapping/visible.ts';
import type { Preview, PreviewPerson } from './outcome.ts';
import { type Alike, changeText, countsText, outlineOf, outText, reasonText } from './outline.ts';

export interface RenderPreviewOptions {
  /** ANSI colours; off by default. */
  readonly color?: boolean;
  /** Everybody by name, however many there are. */
  readonly all?: boolean;
}

/** So many names of people for whom the same changes; where somebody loses something, more. */
const NAMES = 12;
const BAD_NAMES = 200;
/** Different sets of changes in one section. */
const ROWS = 100;

const COLORS = { red: 31, green: 32, bold: 1, dim: 2 } as const;
type Paint = (color: keyof typeof COLORS, text: string) => string;

/** A preview for a terminal, what matters most first. Characters that could disguise a text are shown as `\u{…}`. */
export function renderPreviewText(preview: Preview, options: RenderPreviewOptions = {}): string {
  const paint: Paint = (color, text) => (options.color === true ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text);
  const lines = [paint('bold', `preview: ${countsText(preview)}`), ''];
  for (const { title, isBad, people, alike } of outlineOf(preview)) {
    const most = options.all === true ? Number.POSITIVE_INFINITY : isBad ? BAD_NAMES : NAMES;
    lines.push(paint('bold', `${title}: ${people === 1 ? '1 person' : `${people} people`}`));
    const shown = options.all === true ? alike : alike.slice(0, ROWS);
    for (const group of shown) lines.push(...groupLines(group, most, paint));
    if (shown.length < alike.length) lines.push(`  and ${alike.length - shown.length} more kinds of change (--all)`);
    lines.push('');
  }
  if (preview.notes.length > 0) lines.push(paint('bold', 'Notes'), ...preview.notes.map((note) => `  ${show(note)}`));
  return `${lines.join('\n').trimEnd()}\n`;
}

function groupLines({ changes, shutOut, letIn, people }: Alike, most: number, paint: Paint): readonly string[] {
  const rows = changes.map((change) => {
    const reason = reasonText(change);
    const mark = change.privileged ? `  ${paint('red', 'PRIVILEGED')}` : '';
    const text = changeText(change);
    const line = `    ${paint(text.startsWith('-') ? 'red' : 'green', text)}${mark}`;
    return reason === '' ? line : `${line}  ${paint('dim', show(reason))}`;
  });
  if (shutOut !== undefined) rows.unshift(`    ${paint('red', show(outText(shutOut)))}`);
  if (letIn) rows.unshift(`    ${paint('green', 'let in again')}`);
  const names = people.slice(0, most).map((person) => `  ${named(person)}`);
  const more = people.length > most ? [`  and ${people.length - most} more (--all names them)`] : [];
  return [...names, ...more, ...rows];
}

function named({ name, email, person }: PreviewPerson): string {
  return `${show(name)}  ${email === undefined ? '' : `${show(email)}  `}${person}`;
}
