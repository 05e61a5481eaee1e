import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Attributes, Span, Tracer } from '@opentelemetry/api';
import { toLatchgateError } from '../model/errors.ts';

type Api = typeof import('@opentelemetry/api');

/*
 * Traces by OpenTelemetry, for the whole process: the API's own idea of a current span is one for the process too. Without
 * the variables nothing of it is loaded, and every function here returns at once. Facts hold codes, names of the config
 * and our own ids, never a claim value, a path or an address of a person.
 */
interface Tracing {
  readonly api: Api;
  readonly tracer: Tracer;
}

let tracing: Tracing | undefined;

/** Of `Log`, which itself asks here for the trace of a line. */
interface TracingLog {
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What the variables of the OpenTelemetry specification ask for. */
export function wantedExporter(env: NodeJS.ProcessEnv): 'otlp' | 'console' | undefined {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return undefined;
  const named = env['OTEL_TRACES_EXPORTER']?.trim() ?? '';
  if (named === 'otlp' || named === 'console') return named;
  const endpoint = env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  return named === '' && endpoint !== '' ? 'otlp' : undefined;
}

/**
 * Traces from now on, if the environment asks for it. Returns how to stop, which sends what is left. The packages read
 * the rest of the variables by themselves, from the environment of the process: `OTEL_SERVICE_NAME`,
 * `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_…`.
 */
export async function startTracing(env: NodeJS.ProcessEnv, log: TracingLog): Promise<() => Promise<void>> {
  const wanted = wantedExporter(env);
  if (wanted === undefined || tracing !== undefined) return async () => {};
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] ?? env['OTEL_EXPORTER_OTLP_PROTOCOL'] ?? 'http/protobuf';
  if (wanted === 'otlp' && protocol !== 'http/protobuf' && protocol !== 'http/json') {
    log.warn('no traces: OTEL_EXPORTER_OTLP_PROTOCOL has to be http/protobuf or http/json', { protocol });
    return async () => {};
  }
  const api = await import('@opentelemetry/api');
  const sdk = await import('@opentelemetry/sdk-trace-node');
  const { defaultResource, detectResources, envDetector, resourceFromAttributes } = await import(
    '@opentelemetry/resources'
  );
  const exporter = wanted === 'console' ? new sdk.ConsoleSpanExporter() : await otlpExporter(protocol);
  const named = resourceFromAttributes({ 'service.name': 'latchgate' });
  const provider = new sdk.NodeTracerProvider({
    resource: defaultResource()
      .merge(named)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter)],
  });
  provider.register();
  tracing = { api, tracer: provider.getTracer('latchgate') };
  log.info('traces are sent', { exporter: wanted });
  return async () => {
    tracing = undefined;
    await provider.shutdown().catch(() => log.warn('the last traces could not be sent'));
    for (const one of [api.trace, api.context, api.propagation]) one.disable();
  };
}

async function otlpExporter(protocol: string) {
  if (protocol === 'http/json') {
    const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
    return new OTLPTraceExporter();
  }
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

/** Of what is under way; undefined: it is not traced. */
export function currentTraceId(): string | undefined {
  return tracing?.api.trace.getActiveSpan()?.spanContext().traceId;
}

/** Adds to the span that is under way. */
export function annotate(name: string, value: string): void {
  if (tracing === undefined) return;
  tracing.api.trace.getActiveSpan()?.setAttribute(name, value);
}

/** A span of our own work, within the one that is under way. A failure is its code. */
export function inSpan<T>(name: string, facts: Attributes, work: () => Promise<T>): Promise<T> {
  if (tracing === undefined) return work();
  const { api, tracer } = tracing;
  return tracer.startActiveSpan(name, { attributes: facts }, (span) => ended(api, span, work));
}

/** A call of another service, when it belongs to something that is traced. `statusOf` is the HTTP status of the answer. */
export function inCall<T>(
  method: string,
  url: URL,
  work: () => Promise<T>,
  statusOf: (answer: T) => number,
): Promise<T> {
  if (tracing?.api.trace.getActiveSpan() === undefined) return work();
  const { api, tracer } = tracing;
  const attributes = { 'http.request.method': method, 'server.address': url.hostname };
  return tracer.startActiveSpan(method, { kind: api.SpanKind.CLIENT, attributes }, (span) =>
    ended(api, span, async () => {
      const answer = await work();
      note(api, span, statusOf(answer), 400);
      return answer;
    }),
  );
}

/**
 * A request that came in, and whoever gets it forwarded goes on from its span. The span goes on from that of the caller
 * (W3C Trace Context) when `isCallerTrusted`; a stranger would choose our trace ids, and what is sampled (§7 there), so that
 * theirs is a link of a trace of our own.
 */
export function inRequest(
  req: IncomingMessage,
  res: ServerResponse,
  isCallerTrusted: (req: IncomingMessage) => boolean,
  work: () => void,
): void {
  if (tracing === undefined) {
    work();
    return;
  }
  const { api, tracer } = tracing;
  const method = req.method ?? '-';
  const said = api.propagation.extract(api.context.active(), req.headers);
  const isTrusted = isCallerTrusted(req);
  const caller = isTrusted ? undefined : api.trace.getSpanContext(said);
  const before = isTrusted ? said : api.context.active();
  const options = {
    kind: api.SpanKind.SERVER,
    attributes: { 'http.request.method': method },
    ...(caller === undefined ? {} : { links: [{ context: caller }] }),
  };
  const span = tracer.startSpan(method, options, before);
  const within = api.trace.setSpan(before, span);
  const carrier: Record<string, string> = {};
  api.propagation.inject(within, carrier);
  replaceHeaders(req.rawHeaders, carrier);
  res.once('close', () => {
    note(api, span, res.statusCode, 500);
    span.end();
  });
  api.context.with(within, work);
}

const OURS = ['traceparent', 'tracestate'];

function replaceHeaders(raw: string[], carrier: Readonly<Record<string, string>>): void {
  for (let at = raw.length - 2; at >= 0; at -= 2) {
    if (OURS.includes(raw[at]?.toLowerCase() ?? '')) raw.splice(at, 2);
  }
  for (const name of OURS) {
    const value = carrier[name];
    if (value !== undefined) raw.push(name, value);
  }
}

function note(api: Api, span: Span, status: number, failsFrom: number): void {
  span.setAttribute('http.response.status_code', status);
  if (status >= failsFrom)
    span.setAttribute('error.type', String(status)).setStatus({ code: api.SpanStatusCode.ERROR });
}

async function ended<T>(api: Api, span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const { code } = toLatchgateError(thrown);
    span.setAttribute('error.type', code).setStatus({ code: api.SpanStatusCode.ERROR });
    throw thrown;
  } finally {
    span.end();
  }
}
