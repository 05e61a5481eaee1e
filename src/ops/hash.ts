import { hash } from 'node:crypto';

/** SHA-256 of a text in base64url (RFC 4648 §5), without padding. */
export function sha256(text: string): string {
  return hash('sha256', text, 'base64url');
}
