import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createConsoleEntrance } from '../../src/console/entrance.ts';
import type { LoginRoutesOptions } from '../../src/login/context.ts';
import { LatchgateError } from '../../src/model/errors.ts';

it('says that the session store is down, and nothing of why', async () => {
  const logged: string[] = [];
  const app = express();
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = {
    publicUrl: url,
    sessions: {
      middleware: (_req: unknown, _res: unknown, next: (error: Error) => void) =>
        next(new LatchgateError('session_store_unavailable', 'redis at 10.0.0.7 refuses the password')),
    },
    log: { error: (message: string) => logged.push(message) },
  } as unknown as LoginRoutesOptions;
  const never = async () => {
    throw new Error('nobody gets so far');
  };
  const logins = { begin: () => ({ location: '', cookie: '' }), handOver: never, finish: never };
  app.use(
    '/.latchgate/console',
    createConsoleEntrance(options, logins, () => 'operator'),
  );
  const answer = await fetch(`${url}/.latchgate/console?challenge=x`, { headers: { accept: 'application/json' } });
  const text = await answer.text();
  expect([answer.status, JSON.parse(text).error]).toEqual([503, 'session_store_unavailable']);
  expect(text).not.toContain('10.0.0.7');
  expect(logged).toHaveLength(1);
  server.close();
  server.closeAllConnections();
});
