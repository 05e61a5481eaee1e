/** The weak entity tag of a version (RFC 7644 §3.14). `version`: digits or letters. */
export function etagOf(version: number | string): string {
  return `W/"${version}"`;
}

/**
 * Whether a header If-Match or If-None-Match names this tag: `*`, or a list that has it. Tags are compared weakly,
 * because SCIM's are weak and Entra sends them back so (RFC 9110 §8.8.3.2).
 */
export function namesEtag(header: string, etag: string): boolean {
  const opaque = (tag: string): string => tag.trim().replace(/^[Ww]\//, '');
  return header.trim() === '*' || header.split(',').some((tag) => opaque(tag) === opaque(etag));
}
