import { z } from 'zod';
import { count, decimal, httpUrl, text } from '../../config/values.ts';

const MOST_ATTEMPTS = 20;
const LONGEST_BACKOFF_S = 60;

const retrySchema = z.strictObject({
  attempts: count
    .refine((attempts) => attempts <= MOST_ATTEMPTS, `must be at most ${MOST_ATTEMPTS}`)
    .prefault(5)
    .describe('How often a call is made again after a refusal for its rate, a lost connection, 502, 503 or 504.'),
  backoff: decimal
    .refine((seconds) => seconds <= LONGEST_BACKOFF_S, `must be at most ${LONGEST_BACKOFF_S}`)
    .prefault(0.5)
    .describe(
      'Seconds before the first of them; twice as long before each further one. A refusal for its rate waits until the limit is reset.',
    ),
});

/** Members by which a tenant is called, as a target and as a source. */
export const auth0ApiMembers = {
  url: httpUrl.meta({
    description: 'The tenant’s own domain, also where it has a custom one.',
    examples: ['https://acme.eu.auth0.com'],
  }),
  client_id: text.describe('Of a machine-to-machine application that is authorised for the Management API.'),
  client_secret: text.meta({
    description: 'Its secret.',
    examples: ['${file:/run/secrets/auth0}'],
  }),
  retry: retrySchema.prefault({}).describe('What is done about calls that fail.'),
};
