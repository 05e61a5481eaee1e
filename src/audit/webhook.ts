import { createHmac } from 'node:crypto';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { HttpClient } from '../ops/http-client.ts';
import { type DeliveredRecord, type Receiver, TooLarge } from './receiver.ts';
import { canonicalJson } from './record.ts';
import type { WebhookConfig } from './schema.ts';

const BATCH_TYPE = 'application/cloudevents-batch+json; charset=utf-8';
const ID_HASH = 16;
/** RFC 9110 §15.5.14. */
const CONTENT_TOO_LARGE = 413;

export interface WebhookParts {
  readonly http: HttpClient;
  readonly clock: Clock;
  /** `source` of the events: our public address. */
  readonly publicUrl: string;
}

/** CloudEvents 1.0 in batches of JSON by HTTP, signed as Standard Webhooks says. Any answer but 2xx is a failure. */
export function createWebhookReceiver(name: string, config: WebhookConfig, parts: WebhookParts): Receiver {
  return {
    name,
    batch: config.batch,
    from: config.from,
    send: async (records, signal) => {
      const events = records.map((record) => cloudEvent(record, parts.publicUrl));
      const timestamp = Math.floor(parts.clock.now() / 1_000);
      // The same batch sent again has the same id.
      const id = `${events[0]?.id}..${events.at(-1)?.id}`;
      const { status } = await parts.http.send({
        method: 'POST',
        url: new URL(config.url),
        headers: {
          'content-type': BATCH_TYPE,
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': webhookSignature(config.secrets, id, timestamp, JSON.stringify(events)),
        },
        json: events,
        timeoutMs: config.timeout,
        signal,
      });
      if (status === CONTENT_TOO_LARGE) throw new TooLarge({ status });
      if (status < 200 || status > 299) {
        throw new LatchgateError('audit_undelivered', 'the receiver did not take the records', { detail: { status } });
      }
    },
  };
}

/** `id` is the record's number and the beginning of its hash: the same again is the same event (CloudEvents §3.1). */
function cloudEvent({ record, hash }: DeliveredRecord, source: string) {
  return {
    specversion: '1.0',
    id: `${record.seq}-${hash.slice(0, ID_HASH)}`,
    source,
    type: `latchgate.audit.${record.event}`,
    ...(record.person === undefined ? {} : { subject: record.person }),
    time: record.at.toISOString(),
    datacontenttype: 'application/json',
    data: JSON.parse(canonicalJson({ ...record, hash })) as unknown,
  };
}

/** `v1,` and HMAC-SHA-256 over id, time and body in base64, one for each secret. */
function webhookSignature(secrets: readonly string[], id: string, timestamp: number, body: string): string {
  const keyOf = (secret: string) =>
    secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret);
  return secrets
    .map((secret) => `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')}`)
    .join(' ');
}
