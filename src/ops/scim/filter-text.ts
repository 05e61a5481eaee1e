/**
 * `userName eq "alice"` (RFC 7644 §3.4.2.2). The value is written as JSON, so that quotes and backslashes in it end
 * nothing. `attribute` is a name of ours, never one from outside.
 */
export function equals(attribute: string, value: string | number | boolean): string {
  return `${attribute} eq ${JSON.stringify(value)}`;
}

/** A path of a PATCH that picks one value: `members[value eq "2819c223"]` (RFC 7644 §3.5.2). */
export function valuePath(attribute: string, sub: string, value: string): string {
  return `${attribute}[${equals(sub, value)}]`;
}
