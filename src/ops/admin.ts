import express, { type Express, type RequestHandler, type Response } from 'express';
import { type Readiness, STOPPING } from './health.ts';
import type { RenderedMetrics } from './metrics.ts';

export interface AdminOptions {
  /** Whether the process can serve; default: as long as it answers. */
  readonly isAlive?: () => Promise<boolean>;
  readonly readiness: () => Promise<Readiness>;
  readonly metrics: () => Promise<RenderedMetrics>;
  /** What answers everything else; default: nobody does. */
  readonly console?: RequestHandler;
}

/**
 * The admin listener: `/healthz` (the process), `/readyz` (each dependency, with reasons; `/readyz/NAME` one of them),
 * `/metrics` (Prometheus): those ask nobody to log in, under whatever host. The operators' page is behind them.
 */
export function createAdminApp({ isAlive, readiness, metrics, console }: AdminOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.use((_req, res, next) => {
    res.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' });
    next();
  });
  app.get('/healthz', async (_req, res) => {
    const ok = (await isAlive?.()) !== false;
    res.status(ok ? 200 : 503).json({ ok });
  });
  app.get('/readyz', async (_req, res) => {
    const state = await readiness();
    res.status(state.ready ? 200 : 503).json(state);
  });
  app.get('/readyz/:name', async (req, res) => {
    const { checks } = await readiness();
    const check = Object.hasOwn(checks, req.params.name) ? checks[req.params.name] : undefined;
    if (check === undefined) return notFound(res);
    // Whoever is stopping is not ready, whatever works.
    const ready = check.ok && checks[STOPPING] === undefined;
    res.status(ready ? 200 : 503).json({ ready, checks: { [req.params.name]: check } });
  });
  app.get('/metrics', async (_req, res) => {
    const { contentType, body } = await metrics();
    res.set('Content-Type', contentType).send(body);
  });
  if (console !== undefined) app.use(console);
  app.use((_req, res) => notFound(res));
  return app;
}

function notFound(res: Response): void {
  res.status(404).json({ error: 'not_found' });
}
