import { appendFile } from 'node:fs/promises';
import type { Invitation } from '../targets/auth0/parts.ts';

/** Appends a line of JSON for each invitation; a file that is made here is its owner's alone. Throws what node:fs throws. */
export function invitationsTo(file: string): (invitation: Invitation) => Promise<void> {
  return async ({ email, accountId, link, expiresAt }) => {
    const line = { email, user_id: accountId, link, expires_at: new Date(expiresAt).toISOString() };
    await appendFile(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  };
}
