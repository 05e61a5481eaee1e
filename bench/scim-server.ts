import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Scimmy from 'scimmy';
import { keepHeapSmall } from '../src/ops/heap.ts';
import { TOKEN } from './scim-site.ts';

/*
 * One of the two servers that `scim` measures, in a process of its own: `ours CONFIG` or `scimmy`. Says where it listens,
 * and how much CPU it has used whenever it is asked.
 */

/** What the server says by IPC. */
export type ServerSays = { readonly url: string } | { readonly cpuMs: number };

/** The whole gateway, with an engine that does nothing in targets. */
async function ours(configFile: string): Promise<string> {
  // As `serve` does.
  keepHeapSmall();
  const { loadConfig } = await import('../src/config/load.ts');
  const { composeLog, composeState } = await import('../src/compose/state.ts');
  const { composeEngine } = await import('../src/compose/engine.ts');
  const { composeGateway } = await import('../src/compose/gateway.ts');
  const config = loadConfig(configFile, { env: {} });
  const state = await composeState(config, composeLog(config, process.stderr));
  const engines = composeEngine(config, state);
  engines.engine.preview = async () => ({ changes: [], held: [], set: undefined, gives: [], takes: [], confirms: [] });
  engines.engine.again = async (person, target) => {
    await state.directory.retries.done(person, target);
    return { status: 'none' };
  };
  engines.engine.retryDue = async () => 0;
  const { public: url } = await (await composeGateway(config, engines)).listen();
  return url;
}

/** scimmy-routers as its README shows it, over a Map. */
async function scimmy(): Promise<string> {
  const { default: express } = await import('express');
  const { default: SCIMMY } = await import('scimmy');
  const { default: Routers } = await import('scimmy-routers');
  const users = new Map<string, Scimmy.Schemas.User>();
  SCIMMY.Resources.declare(SCIMMY.Resources.User)
    .ingress((resource, data) => {
      const id = resource.id ?? randomUUID();
      const now = new Date();
      const user = { ...data, id, meta: { created: now, lastModified: now } } as unknown as Scimmy.Schemas.User;
      users.set(id, user);
      return user;
    })
    .egress(({ id }) => (id === undefined ? [...users.values()] : (users.get(id) ?? [])))
    .degress(({ id }) => void users.delete(id ?? ''));
  const handler = (req: { header(name: string): string | undefined }) => {
    if (req.header('authorization') !== `Bearer ${TOKEN}`) throw new Error('refused');
    return 'bench';
  };
  const app = express();
  app.use('/scim/v2', new Routers({ type: 'bearer', docUri: 'https://example.com', handler }));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const say = (words: ServerSays): void => void process.send?.(words);
const [which, config = ''] = process.argv.slice(2);
say({ url: which === 'ours' ? await ours(config) : await scimmy() });
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  say({ cpuMs: (user + system) / 1_000 });
});
process.on('disconnect', () => process.exit());
