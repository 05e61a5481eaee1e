export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Ratio of the medians, and how far the ratios of the single rounds are apart. Both lists are in the order of rounds. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Spread {
  const perRound = ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
  return { median: median(ours) / median(theirs), least: Math.min(...perRound), most: Math.max(...perRound) };
}

export function show({ median, least, most }: Spread): string {
  return `${number(median)}  (${number(least)}..${number(most)})`;
}

export function number(value: number): string {
  if (!Number.isFinite(value)) return '?';
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Columns of equal width; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd();
  const [head = [], ...body] = rows;
  return [line(head), widths.map((width) => '-'.repeat(width)).join('   '), ...body.map(line)].join('\n');
}
