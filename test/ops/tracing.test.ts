import { currentTraceId, inCall, inSpan, startTracing, wantedExporter } from '../../src/ops/tracing.ts';

it.each([
  [{}, undefined],
  [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, undefined],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, 'otlp'],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/v1/traces' }, 'otlp'],
  [{ OTEL_TRACES_EXPORTER: 'otlp' }, 'otlp'],
  [{ OTEL_TRACES_EXPORTER: 'console' }, 'console'],
  [{ OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'True' }, undefined],
  [{ OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'false' }, 'otlp'],
])('the environment %j asks for %s', (env, exporter) => {
  expect(wantedExporter(env)).toBe(exporter);
});

it('without it nothing is traced, and nothing is waited for', async () => {
  const stop = await startTracing({}, { info() {}, warn() {} });
  const work = Promise.resolve(7);
  expect(inSpan('x', {}, () => work)).toBe(work);
  expect(inCall('GET', new URL('http://there'), () => work, Number)).toBe(work);
  expect(currentTraceId()).toBeUndefined();
  await stop();
});

it('a protocol that is not spoken is said, and no reason not to serve', async () => {
  const warnings: string[] = [];
  const env = { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
  await startTracing(env, { info() {}, warn: (message) => void warnings.push(message) });
  expect(warnings).toEqual([expect.stringMatching(/OTEL_EXPORTER_OTLP_PROTOCOL/)]);
  expect(currentTraceId()).toBeUndefined();
});
