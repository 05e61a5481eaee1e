/*
 * Filters in RSQL (github.com/jirutka/rsql-parser). Values come from claims, so they are always quoted; `\` and `'` are
 * escaped. Whatever a filter lets through is compared again by the caller: `==` of a service may know wildcards.
 */

/** `selector=='value'` */
export function equals(selector: string, value: string): string {
  return `${selector}==${quote(value)}`;
}

/** `selector=in=('a','b')` */
export function isIn(selector: string, values: readonly string[]): string {
  return `${selector}=in=(${values.map(quote).join(',')})`;
}

/** Lists of values that each fit into the query of one request: at most 50, and about 4,000 characters. */
export function chunks(values: readonly string[]): readonly (readonly string[])[] {
  const lists: string[][] = [];
  let length = 0;
  for (const value of values) {
    const last = lists.at(-1);
    length += value.length;
    if (last !== undefined && last.length < 50 && length <= 4_000) last.push(value);
    else {
      lists.push([value]);
      length = value.length;
    }
  }
  return lists;
}

function quote(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}
