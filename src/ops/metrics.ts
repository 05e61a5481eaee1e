import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { CodeTally, RequestTally } from './request-tally.ts';

/** What the product counts. Labels hold codes and configured names only, never a claim value or a path. */
export interface Metrics {
  /** `code` is `ok` or the error code; `login` the provider's configured name, `-` while it is not known. */
  login(login: string, outcome: 'allow' | 'deny' | 'error', code: string): void;
  /** From the provider's answer to the session, of a login that was allowed. */
  loginTook(login: string, seconds: number): void;
  provisioning(target: string, outcome: 'ready' | 'none' | 'failed' | 'degraded', seconds: number): void;
  /** Changes written to a target, by kind. */
  change(target: string, op: string, count?: number): void;
  /** One request that went through the proxy; `target` is `-` when no route was found. */
  proxied(target: string, status: number, seconds: number): void;
  /** A request or login that the gateway refused. */
  refused(code: string): void;
  sessions(count: number): void;
  sockets(open: number): void;
  /** A live session was checked with its provider; `code` is `ok`, or why it ended or could not be checked. */
  sessionCheck(login: string, outcome: 'renewed' | 'ended' | 'failed', code: string): void;
  /** A provider told that logins are over; `code` is `ok`, or why that was not taken. */
  backchannelLogout(login: string, code: string): void;
  /** `file` is its path in the config; negative once it has run out. */
  certificate(file: string, secondsLeft: number): void;
  /** An outgoing call was tried again. */
  httpRetry(client: string): void;
  /** A scheduled run of a sync came to an end; `code` is `ok`, or of the brake or failure. */
  syncRun(sync: string, outcome: string, code: string, seconds: number): void;
  syncState(sync: string, state: SyncState): void;
  /** One request to the SCIM API; `client` is `-` while it is not known. */
  scim(client: string, resource: string, outcome: string, seconds: number): void;
  /** People whom a client has let go of, and whose accounts are not deleted until somebody approves. */
  scimHeld(client: string, people: number): void;
  /** One check of `/readyz`: `state`, `login:NAME`, `target:NAME`, `sync:NAME`, … */
  check(check: string, isOk: boolean): void;
  /** In shadow mode: something that would be done to a target; `op` of a change, or `held`. */
  shadowed(target: string, op: string): void;
  /** What the last review of targets found, and when, in seconds since the epoch. */
  drift(
    reviewedAt: number,
    counts: readonly { readonly target: string; readonly kind: string; readonly count: number }[],
  ): void;
  /** Reconciles that wait for their next try. */
  retriesWaiting(count: number): void;
  audit(state: AuditState): void;
  /** What a receiver of the audit does not have yet, and how old the oldest of it is in seconds. */
  auditDelivery(receiver: string, records: number, seconds: number): void;
  /** A record that was too large for a receiver went there without what made it so. */
  auditShortened(receiver: string): void;
  render(): Promise<RenderedMetrics>;
  /** For `mergeMetrics`, in another process. */
  values(): Promise<MetricValues>;
}

/** Times in seconds since the epoch; absent: there was none. */
export interface SyncState {
  readonly lastRunAt?: number;
  readonly lastSuccessAt?: number;
  /** Of the last run, by operation. */
  readonly counts?: Readonly<Record<string, number>>;
  /** Plans that wait for a person. */
  readonly waiting: number;
}

/** Times in seconds. */
export interface AuditState {
  /** Absent: nobody has walked along the chain yet. */
  readonly ok?: boolean;
  /** Since the epoch, as the next. */
  readonly verifiedAt?: number;
  readonly checkpointAt?: number;
  /** Age of the oldest record that no checkpoint covers; 0: there is none. */
  readonly unsignedSeconds: number;
}

/** Text of the Prometheus exposition format. */
export interface RenderedMetrics {
  readonly contentType: string;
  readonly body: string;
}

/** The metrics of one process, as plain data. */
export type MetricValues = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

const SYNC_SECONDS = [1, 5, 15, 60, 300, 900, 3_600, 14_400];
const SYNC_OPS = ['create', 'update', 'disable', 'delete', 'grant', 'revoke', 'held'] as const;
const LOGIN_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const SCIM_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const PROVISIONING_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Metrics in a registry of their own. `processMetrics` adds those of the process (memory, event loop, …). */
export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry, prefix: 'latchgate_' });

  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name: `latchgate_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, aggregator: 'sum' | 'max' | 'min', labelNames: string[] = []) =>
    new Gauge({ name: `latchgate_${name}`, help, labelNames, registers, aggregator });
  const histogram = (name: string, help: string, labelNames: string[], buckets: number[]) =>
    new Histogram({ name: `latchgate_${name}`, help, labelNames, buckets, registers });

  const logins = counter('logins_total', 'Logins by provider, outcome and code', ['login', 'outcome', 'code']);
  const loginSeconds = histogram(
    'login_seconds',
    "From the provider's answer to the session, of logins that were allowed",
    ['login'],
    LOGIN_SECONDS,
  );
  const provisioned = counter('provisioning_total', 'Reconciles of one account', ['target', 'outcome']);
  const provisioningSeconds = histogram(
    'provisioning_seconds',
    'Duration of a reconcile',
    ['target'],
    PROVISIONING_SECONDS,
  );
  const changes = counter('changes_total', 'Changes written to a target', ['target', 'op']);
  const requests = new RequestTally(registry);
  const refusals = new CodeTally(
    'latchgate_refusals_total',
    'Requests and logins that were refused, by code',
    registry,
  );
  const sessions = gauge('sessions', 'Live sessions', 'max');
  const sockets = gauge('upgraded_sockets', 'Open WebSocket tunnels', 'sum');
  const sessionChecks = counter('session_checks_total', 'Live sessions that were checked with their provider', [
    'login',
    'outcome',
    'code',
  ]);
  const logouts = counter('backchannel_logouts_total', 'Logout tokens of providers', ['login', 'code']);
  const certificates = gauge('certificate_expiry_seconds', 'Time until a certificate of tls runs out', 'min', [
    'certificate',
  ]);
  const httpRetries = counter('http_retries_total', 'Outgoing calls that were tried again', ['client']);
  const syncs = syncMetrics(counter, gauge, histogram);
  const scim = counter('scim_requests_total', 'Requests to the SCIM API', ['client', 'resource', 'outcome']);
  const scimSeconds = histogram('scim_request_seconds', 'Duration of a SCIM request', ['client'], SCIM_SECONDS);
  const scimHeld = gauge('scim_deletions_held', 'People whose accounts wait to be deleted', 'max', ['client']);
  const checks = gauge('check_ok', 'Whether a check of /readyz is well', 'min', ['check']);
  const shadowed = counter('shadow_changes_total', 'Changes that would be written, were it not shadow mode', [
    'target',
    'op',
  ]);
  const driftRows = gauge('drift_rows', 'Differences that the last review found', 'max', ['target', 'kind']);
  const driftAt = gauge('drift_last_review_timestamp_seconds', 'When targets were last compared', 'max');
  const retriesWaiting = gauge('provisioning_retries_waiting', 'Reconciles that wait for another try', 'max');

  return {
    login: (login, outcome, code) => logins.inc({ login, outcome, code }),
    loginTook: (login, seconds) => loginSeconds.observe({ login }, seconds),
    provisioning: (target, outcome, seconds) => {
      provisioned.inc({ target, outcome });
      provisioningSeconds.observe({ target }, seconds);
    },
    change: (target, op, count = 1) => changes.inc({ target, op }, count),
    proxied: (target, status, seconds) => requests.add(target, status, seconds),
    refused: (code) => refusals.add(code),
    sessions: (count) => sessions.set(count),
    sockets: (open) => sockets.set(open),
    sessionCheck: (login, outcome, code) => sessionChecks.inc({ login, outcome, code }),
    backchannelLogout: (login, code) => logouts.inc({ login, code }),
    certificate: (certificate, seconds) => certificates.set({ certificate }, seconds),
    httpRetry: (client) => httpRetries.inc({ client }),
    ...syncs,
    scim: (client, resource, outcome, seconds) => {
      scim.inc({ client, resource, outcome });
      scimSeconds.observe({ client }, seconds);
    },
    scimHeld: (client, people) => scimHeld.set({ client }, people),
    check: (check, isOk) => checks.set({ check }, Number(isOk)),
    shadowed: (target, op) => shadowed.inc({ target, op }),
    drift: (at, counts) => {
      driftAt.set(at);
      // What is there no more is said no more.
      driftRows.reset();
      for (const { target, kind, count } of counts) driftRows.set({ target, kind }, count);
    },
    retriesWaiting: (count) => retriesWaiting.set(count),
    ...auditMetrics(counter, gauge),
    render: () => rendered(registry),
    values: () => registry.getMetricsAsJSON(),
  };
}

type Make<Metric, Rest extends readonly unknown[]> = (name: string, help: string, ...rest: Rest) => Metric;

function syncMetrics(
  counter: Make<Counter, [labelNames: string[]]>,
  gauge: Make<Gauge, [aggregator: 'sum' | 'max' | 'min', labelNames?: string[]]>,
  histogram: Make<Histogram, [labelNames: string[], buckets: number[]]>,
): Pick<Metrics, 'syncRun' | 'syncState'> {
  const runs = counter('sync_runs_total', 'Scheduled runs of syncs', ['sync', 'outcome', 'code']);
  const seconds = histogram('sync_run_seconds', 'Duration of a scheduled run', ['sync'], SYNC_SECONDS);
  const of = (name: string, help: string, ...labels: string[]): Gauge => gauge(name, help, 'max', ['sync', ...labels]);
  const lastRun = of('sync_last_run_timestamp_seconds', 'When the last run ended, however it did');
  const lastSuccess = of('sync_last_success_timestamp_seconds', 'When a run last ended well');
  const changes = of('sync_last_run_changes', 'Changes that the last run planned', 'op');
  const waiting = of('sync_plans_waiting', 'Plans that wait for a person');
  return {
    syncRun: (sync, outcome, code, took) => {
      runs.inc({ sync, outcome, code });
      seconds.observe({ sync }, took);
    },
    syncState: (sync, { lastRunAt, lastSuccessAt, counts, waiting: plans }) => {
      if (lastRunAt !== undefined) lastRun.set({ sync }, lastRunAt);
      if (lastSuccessAt !== undefined) lastSuccess.set({ sync }, lastSuccessAt);
      if (counts !== undefined) for (const op of SYNC_OPS) changes.set({ sync, op }, counts[op] ?? 0);
      waiting.set({ sync }, plans);
    },
  };
}

function auditMetrics(
  counter: Make<Counter, [labelNames: string[]]>,
  gauge: Make<Gauge, [aggregator: 'sum' | 'max' | 'min', labelNames?: string[]]>,
): Pick<Metrics, 'audit' | 'auditDelivery' | 'auditShortened'> {
  // A gauge that is there says 0 until it is set, in workers that never set it too: which would be an alarm.
  const onceKnown = (name: string, help: string, aggregator: 'max' | 'min') => {
    let made: Gauge | undefined;
    return (value: number | undefined): void => {
      if (value === undefined) return;
      made ??= gauge(name, help, aggregator);
      made.set(value);
    };
  };
  const ok = onceKnown('audit_ok', 'Whether the audit chain held when it was last walked', 'min');
  const verified = onceKnown('audit_verified_timestamp_seconds', 'When it was last walked', 'max');
  const checkpoint = onceKnown('audit_checkpoint_timestamp_seconds', 'When the audit was last signed', 'max');
  const unsigned = gauge('audit_unsigned_seconds', 'Age of the oldest audit record that is not signed', 'max');
  const records = gauge('audit_delivery_lag_records', 'Audit records that a receiver does not have', 'max', [
    'receiver',
  ]);
  const seconds = gauge('audit_delivery_lag_seconds', 'Age of the oldest of them', 'max', ['receiver']);
  const shortened = counter(
    'audit_delivery_shortened_total',
    'Audit records that a receiver got without what made them too large for it',
    ['receiver'],
  );
  return {
    audit: (state) => {
      ok(state.ok === undefined ? undefined : Number(state.ok));
      verified(state.verifiedAt);
      checkpoint(state.checkpointAt);
      unsigned.set(state.unsignedSeconds);
    },
    auditDelivery: (receiver, behind, age) => {
      records.set({ receiver }, behind);
      seconds.set({ receiver }, age);
    },
    auditShortened: (receiver) => shortened.inc({ receiver }),
  };
}

/**
 * The metrics of all workers of one gateway: sums, but for what each of them sees whole (live sessions, what waits for
 * another try).
 */
export function mergeMetrics(workers: readonly MetricValues[]): Promise<RenderedMetrics> {
  return rendered(AggregatorRegistry.aggregate([...workers]));
}

/** Of these what was counted: neither how something stands, which workers say, nor what is said of the process. */
export function countedAlone(values: MetricValues): MetricValues {
  return values.filter(({ name, type }) => String(type) !== 'gauge' && !/^latchgate_(process|nodejs)_/.test(name));
}

async function rendered(registry: Registry): Promise<RenderedMetrics> {
  return { contentType: registry.contentType, body: await registry.metrics() };
}
