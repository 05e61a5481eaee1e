import { ScimError } from './error.ts';

/**
 * Whether a request is the message of this URN, by its `schemas`: URNs are compared without case (RFC 8141 §3.1), and one
 * alone need be no list. None says nothing. Throws `scim_syntax_invalid`.
 */
export function assertMessage(schemas: unknown, urn: string): void {
  if (schemas === undefined || schemas === null) return;
  const names: readonly unknown[] = Array.isArray(schemas) ? schemas : [schemas];
  if (names.some((name) => typeof name === 'string' && name.toLowerCase() === urn.toLowerCase())) return;
  throw new ScimError('scim_syntax_invalid', `schemas lacks ${urn}`);
}
