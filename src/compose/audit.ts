import { Checkpoints } from '../audit/checkpoints.ts';
import { deliver, deliveredUpTo, deliveryStanding } from '../audit/deliveries.ts';
import type { Receiver } from '../audit/receiver.ts';
import { removeOld } from '../audit/retention.ts';
import { createSyslogReceiver } from '../audit/syslog.ts';
import { createWebhookReceiver } from '../audit/webhook.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../ops/clock.ts';
import { createHttpClient } from '../ops/http.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Engines } from './engine.ts';
import type { Job } from './jobs.ts';

const LOOK_EVERY_MS = 5_000;
const DELIVER_EVERY_MS = 1_000;
const REMOVE_EVERY_MS = 3_600_000;

/** What goes on beside the audit: it is signed, delivered, and in the end removed. */
export interface ComposedAudit {
  readonly jobs: readonly Job[];
  /** Sets the metrics that all instances show alike. */
  measure(): Promise<void>;
  close(): Promise<void>;
}

/** `stop` ends a delivery or a walk under way: it is left to the next instance, or to the next start. */
export function composeAudit(config: Config, { state, metrics }: Engines, stop: AbortSignal): ComposedAudit {
  const { database, directory, audit, auditSigner: signer, clock, log } = state;
  const { keep, checkpoint } = config.audit;
  const deps = { database, audit, leases: directory.leases, values: directory.values, signer, clock, log, metrics };
  const checkpoints = new Checkpoints({ ...deps, records: checkpoint.records, everyMs: checkpoint.every });
  const http = createHttpClient({ log });
  const receivers = receiversOf(config, http, clock);
  const delivered = () => deliveredUpTo(receivers, database);
  return {
    jobs: [
      { everyMs: LOOK_EVERY_MS, work: () => checkpoints.look(stop) },
      ...receivers.map((receiver) => ({ everyMs: DELIVER_EVERY_MS, work: () => deliver(receiver, deps, stop) })),
      ...(keep === undefined
        ? []
        : [
            {
              everyMs: REMOVE_EVERY_MS,
              work: async () => void (await removeOld({ ...deps, keepMs: keep, delivered })),
            },
          ]),
    ],
    measure: async () => {
      const verified = await checkpoints.verified();
      const { unsignedMs, lastAt } = await checkpoints.standing();
      metrics.audit({
        unsignedSeconds: unsignedMs / 1_000,
        ...(lastAt === undefined ? {} : { checkpointAt: lastAt / 1_000 }),
        ...(verified === undefined ? {} : { ok: verified.ok, verifiedAt: verified.at / 1_000 }),
      });
      for (const receiver of receivers) {
        const { behind, behindMs } = await deliveryStanding(receiver, deps);
        metrics.auditDelivery(receiver.name, behind, behindMs / 1_000);
      }
    },
    close: () => http.close(),
  };
}

function receiversOf({ audit, public_url: publicUrl }: Config, http: HttpClient, clock: Clock): readonly Receiver[] {
  return Object.entries(audit.deliver).map(([name, receiver]) =>
    receiver.type === 'syslog'
      ? createSyslogReceiver(name, receiver)
      : createWebhookReceiver(name, receiver, { http, clock, publicUrl }),
  );
}
