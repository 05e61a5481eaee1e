import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LatchgateError } from '../../src/model/errors.ts';
import { createHttpStreams, type HttpStreams } from '../../src/ops/http-stream.ts';

describe('an answer that is read as it comes', () => {
  let server: Server;
  let streams: HttpStreams;
  const open = async (handle: RequestListener, more: { timeoutMs?: number; signal?: AbortSignal } = {}) => {
    server = createServer(handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return streams.open({ url, signal: new AbortController().signal, timeoutMs: 5_000, ...more });
  };
  const read = async (body: AsyncIterable<Uint8Array>) => {
    let text = '';
    for await (const piece of body) text += Buffer.from(piece).toString();
    return text;
  };

  beforeEach(() => {
    streams = createHttpStreams();
  });
  afterEach(async () => {
    await streams.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('is whole, with status and headers, and is never a redirect that was followed', async () => {
    const answer = await open((_request, response) =>
      response.writeHead(302, { Location: '/x', 'X-A': 'b' }).end('body'),
    );
    expect([answer.status, answer.headers['location'], answer.headers['x-a']]).toEqual([302, '/x', 'b']);
    expect(await read(answer.body)).toBe('body');
  });

  it('fails when nothing comes for too long, before the answer or within it', async () => {
    await expect(open(() => {}, { timeoutMs: 1_000 })).rejects.toMatchObject({ code: 'target_unavailable' });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const answer = await open((_request, response) => void response.write('x'), { timeoutMs: 1_000 });
    await expect(read(answer.body)).rejects.toMatchObject({ code: 'target_unavailable' });
  });

  it('does not count the time in which its reader is busy', async () => {
    const answer = await open(
      (_request, response) => {
        response.write('a');
        response.end('b');
      },
      { timeoutMs: 1_000 },
    );
    let text = '';
    for await (const piece of answer.body) {
      text += Buffer.from(piece).toString();
      await new Promise((resolve) => setTimeout(resolve, 1_200));
    }
    expect(text).toBe('ab');
  });

  it('fails when the connection breaks, and with the reason of the signal', async () => {
    const cut = await open((_request, response) => {
      response.write('x', () => response.destroy());
    });
    await expect(read(cut.body)).rejects.toMatchObject({ code: 'target_unavailable' });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const stop = new AbortController();
    const answer = await open((_request, response) => void response.write('x'), { signal: stop.signal });
    const reading = read(answer.body);
    stop.abort(new LatchgateError('lease_lost', 'lost'));
    await expect(reading).rejects.toMatchObject({ code: 'lease_lost' });
  });

  it('closes its connection when the reader leaves, or nobody reads', async () => {
    let closed = 0;
    const endless: RequestListener = (_request, response) => {
      response.write('x');
      response.on('close', () => {
        closed += 1;
      });
    };
    for await (const _ of (await open(endless)).body) break;
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    (await streams.open({ url, signal: new AbortController().signal, timeoutMs: 5_000 })).end();
    while (closed < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(closed).toBe(2);
  });
});
