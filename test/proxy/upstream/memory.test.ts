import { get, type IncomingMessage } from 'node:http';
import { get as getSecure } from 'node:https';
import { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { closeAll, startUpstream, until } from '../harness.ts';
import { MAIN, openHttp2, removeAuthority, startSecureWorld } from '../secure-harness.ts';
import { startStage } from './stage.ts';

afterEach(closeAll);
afterAll(removeAuthority);

/** Every stretch of a body says whose it is and where it belongs. */
function bodyOf(id: number, bytes: number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 16)
    body.write(`<${id}:${at}>`.padEnd(16, '.').slice(0, Math.min(16, bytes - at)), at);
  return body;
}

/** Answers /ID/BYTES, in pieces of all sizes, with and without a length, on connections that are kept or not. */
function startBodies() {
  return startUpstream(async (req, res) => {
    const [, id, bytes] = (req.url ?? '').split('/').map(Number);
    const body = bodyOf(id ?? 0, bytes ?? 0);
    if ((id ?? 0) % 2 === 0) res.setHeader('Content-Length', body.length);
    if ((id ?? 0) % 3 === 0) res.setHeader('Connection', 'close');
    for (let at = 0, size = 1_000; at < body.length; at += size, size = (size * 7) % 300_007) {
      if (!res.write(body.subarray(at, at + size))) await new Promise((resolve) => res.once('drain', resolve));
      if (size % 3 === 0) await pause(1);
    }
    res.end();
  });
}

const COOKIE = 'latchgate=alice';
const SIZES = [20_000, 65_536, 70_000, 200_000, 400_000];

describe('bodies of many people at once', () => {
  it.each([
    ['in the clear', false],
    ['over TLS', true],
  ])(
    'are never mixed up, however slowly some of them read: %s',
    async (_name, isSecure) => {
      const upstream = await startBodies();
      const world = isSecure ? await startSecureWorld({ upstream: upstream.url }) : await startStage(upstream.url);
      const ask = (path: string) =>
        new Promise<IncomingMessage>((resolve, reject) => {
          const options = { port: world.port, path, agent: false };
          const headers = { host: MAIN, cookie: COOKIE };
          const asked =
            'ca' in world
              ? getSecure({ ...options, headers, ca: world.ca, servername: MAIN }, resolve)
              : get(options, resolve);
          asked.on('error', reject);
        });
      const read = async (id: number): Promise<boolean> => {
        const bytes = SIZES[id % SIZES.length] as number;
        const chunks: Buffer[] = [];
        for await (const chunk of await ask(`/${id}/${bytes}`)) {
          chunks.push(chunk as Buffer);
          if (id % 3 === 0) await pause(2);
        }
        return Buffer.concat(chunks).equals(bodyOf(id, bytes));
      };
      for (let round = 0; round < 2; round += 1) {
        const all = await Promise.all(Array.from({ length: 20 }, (_, at) => read(round * 20 + at)));
        expect(all.filter((isOwn) => !isOwn)).toEqual([]);
      }
    },
    60_000,
  );

  it('are never mixed up over HTTP/2, where they pass another pipe before they are sent', async () => {
    const upstream = await startBodies();
    const world = await startSecureWorld({ upstream: upstream.url });
    const session = openHttp2(world);
    const read = async (id: number): Promise<boolean> => {
      const bytes = SIZES[id % SIZES.length] as number;
      const stream = session.request({ ':path': `/${id}/${bytes}`, cookie: COOKIE });
      const chunks: Buffer[] = [];
      for await (const chunk of stream) {
        chunks.push(chunk as Buffer);
        if (id % 3 === 0) await pause(2);
      }
      return Buffer.concat(chunks).equals(bodyOf(id, bytes));
    };
    for (let round = 0; round < 2; round += 1) {
      const all = await Promise.all(Array.from({ length: 20 }, (_, at) => read(round * 20 + at)));
      expect(all.filter((isOwn) => !isOwn)).toEqual([]);
    }
  }, 60_000);

  it('are left alone by whoever is served next, when a connection within the process holds on to what it was given', async () => {
    const upstream = await startBodies();
    const { server, port } = await startStage(upstream.url);
    const hold = async (id: number): Promise<boolean> => {
      const held: Buffer[] = [];
      const connection = new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, done) => {
          held.push(chunk);
          done();
        },
      });
      server.emit('connection', connection);
      connection.push(`GET /${id}/400000 HTTP/1.1\r\nHost: a\r\n\r\n`);
      const length = () => held.reduce((sum, { length }) => sum + length, 0);
      await until(() => length() > 400_000, 'the answer');
      await Promise.all([serve(id + 100), serve(id + 200)]);
      return Buffer.concat(held).subarray(-400_000).equals(bodyOf(id, 400_000));
    };
    const serve = async (id: number): Promise<void> => {
      await fetch(`http://127.0.0.1:${port}/${id}/400000`).then((response) => response.arrayBuffer());
    };
    // Those with an even number have a length: their last bytes are the body.
    expect(await Promise.all([hold(0), hold(2), hold(4)])).toEqual([true, true, true]);
  });

  it('whose readers have gone take nothing of the others along', async () => {
    const upstream = await startBodies();
    const { port, failed } = await startStage(upstream.url);
    const ask = (path: string) =>
      new Promise<IncomingMessage>((resolve) => {
        get({ port, path, agent: false }, resolve);
      });
    const leave = async (id: number): Promise<void> => {
      const response = await ask(`/${id}/8000000`);
      response.once('data', () => response.destroy());
      await new Promise((resolve) => response.once('close', resolve));
    };
    const read = async (id: number): Promise<boolean> => {
      const chunks: Buffer[] = [];
      for await (const chunk of await ask(`/${id}/300000`)) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).equals(bodyOf(id, 300_000));
    };
    for (let round = 0; round < 5; round += 1) {
      const [first, , second] = await Promise.all([read(round), leave(100 + round), read(200 + round)]);
      expect([first, second]).toEqual([true, true]);
    }
    await until(() => failed.length === 5, 'those that were given up');
  }, 60_000);
});
