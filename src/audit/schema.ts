import { z } from 'zod';
import { count, durationMs, entryName, httpUrl, text, textList, waitMs } from '../config/values.ts';

const MOST_RECORDS = 10_000;
const SHORTEST_SECRET = 32;

const SYSLOG_ADDRESS = 'must be udp://host, tcp://host or tls://host, with a port where it is not 514 or 6514';

const from = z
  .enum(['start', 'now'])
  .default('start')
  .describe('Where a receiver begins that has had nothing yet: at the first record that is there, or with what comes.');

const syslogSchema = z.strictObject({
  type: z.literal('syslog').describe('The kind of receiver: a syslog daemon or SIEM.'),
  url: z
    .string()
    .transform((value, context) => {
      const url = URL.canParse(value) ? new URL(value) : undefined;
      const isPlain =
        url !== undefined && url.host !== '' && /^\/?$/.test(url.pathname) && url.search + url.hash === '';
      if (!isPlain || !['udp:', 'tcp:', 'tls:'].includes(url.protocol) || url.username !== '')
        context.addIssue(SYSLOG_ADDRESS);
      return value;
    })
    .meta({
      title: 'syslog address',
      description:
        '`tls://host` (RFC 5425, port 6514), `tcp://host` (RFC 6587, octet counting, port 514) or `udp://host` (RFC 5426, port 514). What is sent by UDP can get lost.',
      examples: ['tls://siem.example.com'],
    }),
  ca: text.optional().meta({
    description: 'Certificate authority in PEM, in place of those that Node knows.',
    examples: ['${file:/etc/latchgate/siem-ca.pem}'],
  }),
  facility: count
    .refine((number) => number <= 23, 'must be a number from 0 to 23')
    .prefault(13)
    .describe('RFC 5424 §6.2.1; 13 is log audit.'),
  batch: count
    .refine((many) => many > 0, 'must not be 0')
    .prefault(100)
    .describe('Records in one connection.'),
  timeout: durationMs.prefault('10s').describe('For one batch.'),
  from,
});

const webhookSchema = z.strictObject({
  type: z.literal('webhook').describe('The kind of receiver: a web service.'),
  url: httpUrl.describe('Gets POST requests with CloudEvents 1.0 as a JSON batch.'),
  secrets: textList
    .refine((list) => list.length > 0 && list.length <= 2, 'must be one secret, or two during a rotation')
    .refine(
      (list) => list.every((secret) => secret.length >= SHORTEST_SECRET),
      `must have at least ${SHORTEST_SECRET} characters in each secret`,
    )
    .meta({
      description:
        'Each signs every request (HMAC-SHA-256, as Standard Webhooks says: `webhook-id`, `webhook-timestamp`, `webhook-signature`). One that begins with `whsec_` is base64.',
      examples: [['${file:/run/secrets/audit-hook}']],
    }),
  batch: count
    .refine((many) => many > 0, 'must not be 0')
    .prefault(100)
    .describe('Records in one request.'),
  timeout: durationMs.prefault('10s').describe('For one request.'),
  from,
});

/** A day, by which the brake of syncs goes, and as much again for clocks and runs that are long. */
const LEAST_KEEP_MS = 172_800_000;

export const auditSchema = z.strictObject({
  keep: durationMs
    .refine((ms) => ms >= LEAST_KEEP_MS, 'must be at least 2d')
    .optional()
    .meta({
      description:
        'How long records are kept, at least `2d`: the brake goes by those of the last day. Older ones are removed up to a signed checkpoint, once every receiver has them. Absent: for ever.',
      examples: ['400d'],
    }),
  checkpoint: z
    .strictObject({
      records: count
        .refine((many) => many > 0 && many <= MOST_RECORDS, `must be from 1 to ${MOST_RECORDS}`)
        .prefault(1_000)
        .describe('After so many records at the latest.'),
      every: waitMs.prefault('5m').describe('When the first record since the last one is so old.'),
    })
    .prefault({})
    .describe('When one instance signs how far the chain has come.'),
  deliver: z
    .record(entryName, z.discriminatedUnion('type', [syslogSchema, webhookSchema]))
    .default({})
    .describe('Who gets every record, one entry each: at least once, in order, never at the cost of a login.'),
});

export type SyslogConfig = z.output<typeof syslogSchema>;
export type WebhookConfig = z.output<typeof webhookSchema>;
