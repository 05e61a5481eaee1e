import express, { type Express } from 'express';
import type { Readiness } from './health.ts';
import type { Metrics } from './metrics.ts';

export interface AdminOptions {
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: Pick<Metrics, 'render'>;
  /** Brings gauges up to date before they are read. */
  readonly refresh: () => Promise<void>;
}

/** The admin listener: `/healthz` (the process), `/readyz` (each dependency, with reasons), `/metrics` (Prometheus). */
export function createAdminApp({ readiness, metrics, refresh }: AdminOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use((_req, res, next) => {
    res.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
    next();
  });
  app.get('/healthz', (_req, res) => {
    res.json({ ok: true });
  });
  app.get('/readyz', async (_req, res) => {
    const state = await readiness();
    res.status(state.ready ? 200 : 503).json(state);
  });
  app.get('/metrics', async (_req, res) => {
    await refresh().catch(() => {});
    const { contentType, body } = await metrics.render();
    res.set('Content-Type', contentType).send(body);
  });
  app.use((_req, res) => {
    res.status(404).json({ error: 'not_found' });
  });
  return app;
}
