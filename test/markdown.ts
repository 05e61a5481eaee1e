import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const projectFolder = join(import.meta.dirname, '..');

/** A Markdown file of the project. */
export interface Page {
  /** Relative to the project, with `/`. */
  readonly file: string;
  readonly text: string;
}

/** README.md, those of docs/ and of integrations/. */
export function pages(): readonly Page[] {
  const docs = readdirSync(join(projectFolder, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', 'integrations/superset/README.md', ...docs.map((name) => `docs/${name}`)].map(page);
}

export function page(file: string): Page {
  return { file, text: readFileSync(join(projectFolder, file), 'utf8') };
}

const FENCE = /^( *)```(\S*)\n([\s\S]*?)^\1```$/gm;

/** Code blocks of one language, in order; those in lists without their indentation. */
export function codeBlocks({ text }: Page, language: string): readonly string[] {
  return [...text.matchAll(FENCE)]
    .filter(([, , name]) => name === language)
    .map(([, indent = '', , code = '']) => code.replace(new RegExp(`^${indent}`, 'gm'), ''));
}

/** A configuration that the docs show, by something that stands in it, with other addresses. Throws when it is not there. */
export function shownConfig(
  file: string,
  language: string,
  marker: string,
  replacements: readonly (readonly [string, string])[],
): string {
  const block = codeBlocks(page(file), language).find((code) => code.includes(marker));
  if (block === undefined) throw new Error(`${file} shows no ${language} with ${marker}`);
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`${file} shows no ${from}`);
    return text.replaceAll(from, to);
  }, block);
}

/** Everything outside code blocks. */
function prose({ text }: Page): string {
  return text.replace(FENCE, '');
}

/** `https://…`, `file.md#heading`, `#heading` as they stand in links. */
export function links(page: Page): readonly string[] {
  return [...prose(page).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, address]) => address ?? '');
}

/** Ids of the headings, as GitHub makes them. */
export function anchors(page: Page): readonly string[] {
  return [...prose(page).matchAll(/^#{1,6} +(.+)$/gm)].map(([, title]) =>
    (title ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
