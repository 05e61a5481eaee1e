import { z } from 'zod';
import { addressesOrIds, durationMs, flag, httpUrl, text } from '../../config/values.ts';
import { auth0ApiMembers } from '../../ops/auth0/schema.ts';

const inviteSchema = z.strictObject({
  file: text.meta({
    description:
      'Gets a line of JSON for each account made: its e-mail, its id and the link by which its owner sets a password. For the program that sends your mails; whoever reads it can take the accounts over.',
    examples: ['/var/lib/latchgate/invitations.ndjson'],
  }),
  valid: durationMs.prefault('7d').describe('How long the link works.'),
  return_to: httpUrl.optional().describe('Where the link leads when the password is set. Default: Auth0’s own page.'),
});

export const auth0TargetSchema = z.strictObject({
  type: z.literal('auth0').describe('The kind of backend.'),
  ...auth0ApiMembers,
  connection: text.meta({
    description: 'The database connection whose accounts these are. Accounts of other connections are never touched.',
    examples: ['Username-Password-Authentication'],
  }),
  never_delete: addressesOrIds
    .prefault([])
    .describe(
      'E-mails (in any case) and ids of accounts that are neither deleted nor blocked. Names and roles still follow.',
    ),
  verify_email: flag
    .prefault(false)
    .describe('Whether Auth0 sends its mail that verifies the address, for new accounts and new addresses.'),
  email_verified: flag
    .prefault(false)
    .describe('Whether the addresses of new accounts, and new addresses, count as verified without that.'),
  invite: inviteSchema.optional().describe('Links by which people with new accounts set a password. Default: none.'),
});
