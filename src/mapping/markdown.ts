import { show } from './visible.ts';

/** A code span with as many backticks as it takes (CommonMark §6.1). A bar would end the cell of a table in one, too. */
export function code(text: string): string {
  const visible = show(text).replaceAll('|', '\\|');
  const longest = Math.max(0, ...[...visible.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = longest > 0 || visible.trim() === '' ? ' ' : '';
  return `${fence}${pad}${visible}${pad}${fence}`;
}

/** Prose with everything that Markdown or HTML could read as markup escaped. */
export function plain(text: string): string {
  return show(text).replace(/[\\`*_{}[\]<>()#+!|~@&]/g, (character) =>
    character === '@' ? '&#64;' : `\\${character}`,
  );
}

/** Cells are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => ' --- ').join('|')}|`, ...rows.map(line)].join('\n');
}
