/** A text that cannot steer a terminal or hide in it: control and other invisible characters are shown by number. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Lines of a table with its columns aligned. Cells are made printable; an absent one is a dash. */
export function tableLines(head: readonly string[], rows: readonly (readonly (string | undefined)[])[]): string[] {
  const cells = [head, ...rows.map((row) => row.map((cell) => (cell === undefined ? '-' : printable(cell))))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** `2026-01-02 03:04:05Z`. */
export function timeText(at: Date | number): string {
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}
