import { z } from 'zod';
import { flag, text } from '../../config/values.ts';
import { isLoopback } from '../../model/loopback.ts';

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const origin = text
  .transform((value, context) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const isPlain = url?.protocol === 'http:' && isLoopback(url.hostname);
    if (url === undefined || (url.protocol !== 'https:' && !isPlain)) context.addIssue('must be an https:// address');
    else if (url.href !== `${url.origin}/`) context.addIssue('must be a scheme and a host, without anything behind');
    return url?.origin ?? value;
  })
  .meta({ title: 'https address' });

/** What `login.NAME.overage` may say. */
export const overageSchema = z.strictObject({
  tenant: text.regex(GUID, 'must be the id of the tenant, such as 72f988bf-86f1-41af-91ab-2d7cd011db47').meta({
    description: 'Id of the tenant. Nobody of another one is asked about.',
    examples: ['72f988bf-86f1-41af-91ab-2d7cd011db47'],
  }),
  client_id: text.describe(
    'Application that asks, with the application permission `User.Read.All` or `Directory.Read.All`.',
  ),
  client_secret: text.describe('Its secret.'),
  security_enabled_only: flag
    .prefault(true)
    .describe(
      'Security groups alone, as in a token whose group claim is for security groups. `false`: all groups and directory roles.',
    ),
  url: origin.prefault('https://graph.microsoft.com').describe('Microsoft Graph; other in national clouds.'),
  authority: origin
    .prefault('https://login.microsoftonline.com')
    .describe('Where the application gets its tokens; other in national clouds.'),
});

export type OverageConfig = z.output<typeof overageSchema>;
