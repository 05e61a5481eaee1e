import { code, plain, table } from '../mapping/markdown.ts';
import type { Preview, PreviewPerson } from './outcome.ts';
import { changeText, countsText, outlineOf, outText, reasonText } from './outline.ts';

const NAMES = 12;
const BAD_NAMES = 100;
/** Different sets of changes in one section: what is longer than a comment on GitHub is no use there. */
const ROWS = 40;

/**
 * A preview for a pull request (GitHub Flavored Markdown). Names stand in code spans, so that none of them is a link, a
 * mention or markup.
 */
export function renderPreviewMarkdown(preview: Preview, options: { readonly all?: boolean } = {}): string {
  const { privileged } = preview.summary;
  const alarm = `> **${privileged === 1 ? '1 person gains' : `${privileged} people gain`} something privileged**`;
  const blocks = [
    `## Preview: ${plain(countsText(preview))}`,
    ...(privileged === 0 ? [] : [alarm]),
    ...(preview.people.length === 0 ? ['Nothing changes for anybody.'] : []),
    ...outlineOf(preview).flatMap(({ title, isBad, people, alike }) => {
      const most = options.all === true ? Number.POSITIVE_INFINITY : isBad ? BAD_NAMES : NAMES;
      const rows = alike
        .slice(0, options.all === true ? undefined : ROWS)
        .map(({ changes, shutOut, letIn, people: who }) => [
          String(who.length),
          [
            ...(letIn ? ['let in again'] : []),
            ...(shutOut === undefined ? [] : [plain(outText(shutOut))]),
            ...changes.map(
              (change) => `${plainSign(changeText(change, code))}${change.privileged ? ' **privileged**' : ''}`,
            ),
          ].join('<br>'),
          [...new Set(changes.map((change) => plain(reasonText(change))))].filter((text) => text !== '').join('<br>'),
          namesText(who, most),
        ]);
      return [
        `### ${title}: ${people === 1 ? '1 person' : `${people} people`}`,
        table(['People', 'Changes', 'Why', 'Who'], rows),
        ...(rows.length < alike.length ? [`and ${alike.length - rows.length} more kinds of change`] : []),
      ];
    }),
    ...(preview.notes.length === 0 ? [] : ['### Notes', preview.notes.map((note) => `- ${plain(note)}`).join('\n')]),
  ];
  return `${blocks.join('\n\n')}\n`;
}

/** A sign that begins a line would make a list of it. */
function plainSign(text: string): string {
  return `\\${text}`;
}

function namesText(people: readonly PreviewPerson[], most: number): string {
  const named = people
    .slice(0, most)
    .map(({ name, email }) => (email === undefined || email === name ? code(name) : `${code(name)} ${code(email)}`))
    .join('<br>');
  return people.length > most ? `${named}<br>and ${people.length - most} more` : named;
}
