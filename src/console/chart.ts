import type { EventCount } from '../audit/search.ts';
import { html, type Markup } from '../login/html.ts';

export interface Series {
  readonly name: string;
  /** Class of its bars. */
  readonly style: 'a' | 'b' | 'c';
  fits(event: string): boolean;
}

export interface Chart {
  readonly title: string;
  readonly series: readonly Series[];
  /** When each bar begins, in milliseconds since the epoch. */
  readonly starts: readonly number[];
  readonly spanMs: number;
  readonly counts: readonly EventCount[];
}

const WIDTH = 720;
const HEIGHT = 180;
const LEFT = 56;
const RIGHT = 16;
const BOTTOM = 28;
const TOP = 20;
const DAY_MS = 86_400_000;

/** Stacked bars as SVG, with a sentence and a table for those who do not see them. */
export function chart({ title, series, starts, spanMs, counts }: Chart): Markup {
  const values = starts.map((start) =>
    series.map(({ fits }) =>
      counts.reduce((sum, { at, event, count }) => (at === start && fits(event) ? sum + count : sum), 0),
    ),
  );
  const totals = series.map((_, at) => values.reduce((sum, row) => sum + (row[at] ?? 0), 0));
  const label = `${title}: ${series.map(({ name }, at) => `${totals[at]} ${name}`).join(', ')}.`;
  const most = niceMost(Math.max(1, ...values.map((row) => row.reduce((sum, one) => sum + one, 0))));
  const key = series.map(
    ({ name, style }, at) =>
      html`<li><svg class="${style}" viewBox="0 0 12 12" aria-hidden="true"><rect class="${style}" width="12" height="12" rx="3"/></svg>${String(totals[at])} ${name}</li>`,
  );
  return html`<ul class="key">${key}</ul>
<svg class="chart" viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" role="img" aria-label="${label}">${axis(most)}${values.map(
    (row, at) => bars(row, { at, of: starts.length, most, start: starts[at] ?? 0, spanMs, series }),
  )}</svg>
<details><summary>As a table</summary>${numbers({ title, series, starts, spanMs }, values)}</details>`;
}

/** 1, 2, 5, 10, 20, …: the top of the axis. */
function niceMost(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most) ?? most;
}

function axis(most: number): Markup {
  const lines = [0, 0.5, 1].map((part) => {
    const y = yOf(part).toFixed(1);
    const text = part * most;
    const name = Number.isInteger(text)
      ? html`<text x="${String(LEFT - 6)}" y="${String(Number(y) + 4)}" text-anchor="end">${String(text)}</text>`
      : undefined;
    return html`<line class="grid-line" x1="${String(LEFT)}" x2="${String(WIDTH)}" y1="${y}" y2="${y}"/>${name}`;
  });
  return html`${lines}`;
}

/** `part` of the height of the axis. */
function yOf(part: number): number {
  return TOP + (1 - part) * (HEIGHT - TOP - BOTTOM);
}

interface Bar {
  readonly at: number;
  readonly of: number;
  readonly most: number;
  readonly start: number;
  readonly spanMs: number;
  readonly series: readonly Series[];
}

function bars(row: readonly number[], { at, of, most, start, spanMs, series }: Bar): Markup {
  const step = (WIDTH - LEFT - RIGHT) / of;
  const x = (LEFT + at * step + step * 0.15).toFixed(1);
  let below = 0;
  const rects = row.map((value, index) => {
    if (value === 0) return html``;
    const top = yOf((below + value) / most);
    const height = yOf(below / most) - top;
    below += value;
    const size = html`x="${x}" y="${top.toFixed(1)}" width="${(step * 0.7).toFixed(1)}" height="${height.toFixed(1)}" rx="2"`;
    return html`<rect class="${series[index]?.style ?? 'a'}" ${size}><title>${spanText(start, spanMs)}: ${String(value)} ${series[index]?.name ?? ''}</title></rect>`;
  });
  const isNamed = (of - 1 - at) % (of > 14 ? 4 : 2) === 0;
  const name = isNamed
    ? html`<text x="${(LEFT + (at + 0.5) * step).toFixed(1)}" y="${String(HEIGHT - 6)}" text-anchor="middle">${spanText(start, spanMs)}</text>`
    : undefined;
  return html`${rects}${name}`;
}

function spanText(start: number, spanMs: number): string {
  const iso = new Date(start).toISOString();
  return spanMs < DAY_MS ? iso.slice(11, 16) : iso.slice(5, 10);
}

function numbers(
  { title, series, starts, spanMs }: Omit<Chart, 'counts'>,
  values: readonly (readonly number[])[],
): Markup {
  const rows = starts.map(
    (start, at) =>
      html`<tr><th scope="row">${spanText(start, spanMs)}</th>${(values[at] ?? []).map((value) => html`<td class="number">${String(value)}</td>`)}</tr>`,
  );
  return html`<div class="scroll" role="region" aria-label="${title} as numbers" tabindex="0"><table><thead><tr><th scope="col">From</th>${series.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>`;
}
