import type { Socket } from 'node:net';
import fc from 'fast-check';
import { closeAll, parseAnswer, startRawUpstream, until } from '../harness.ts';
import { OK, WHOLE } from './answers.ts';
import { BROKEN } from './broken-answers.ts';
import { open, startStage } from './stage.ts';

afterEach(closeAll);

const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const latin1 = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const known = fc.constantFrom(...WHOLE.map(({ bytes }) => bytes), ...BROKEN.map(([, bytes]) => bytes));
const edited = fc
  .tuple(known, fc.nat(), fc.nat(6), latin1)
  .map(
    ([bytes, at, cut, put]) =>
      bytes.slice(0, at % bytes.length) + put.slice(0, 4) + bytes.slice((at % bytes.length) + cut),
  );

describe('whatever an upstream sends', () => {
  it('every client gets an end, no socket stays, and the next request is served', async () => {
    let next: { bytes: string; cuts: readonly number[]; leave: 'stay' | 'end' | 'reset' } | undefined;
    const upstream = await startRawUpstream(async (socket: Socket) => {
      const answer = next;
      next = undefined;
      if (answer === undefined) return void socket.write(OK);
      let from = 0;
      for (const cut of [...answer.cuts, answer.bytes.length]) {
        if (cut <= from || socket.destroyed) continue;
        socket.write(Buffer.from(answer.bytes.slice(from, cut), 'latin1'));
        from = cut;
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (answer.leave === 'end') socket.end();
      if (answer.leave === 'reset') socket.resetAndDestroy();
    });
    const stage = await startStage(upstream.url, { answerTimeoutMs: 500, idleTimeoutMs: 500 });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(edited, edited, latin1),
        fc.array(fc.nat(2_000), { maxLength: 4 }).map((cuts) => cuts.sort((a, b) => a - b)),
        fc.oneof(
          { weight: 1, arbitrary: fc.constant('stay' as const) },
          { weight: 9, arbitrary: fc.constantFrom('end' as const, 'reset' as const) },
        ),
        async (bytes, cuts, leave) => {
          next = { bytes, cuts, leave };
          const client = open(stage.port, GET);
          await until(() => client.isClosed, 'an end');
          const after = open(stage.port, GET);
          await until(() => after.isClosed, 'an end');
          expect(parseAnswer(after.raw).body).toBe('ok');
        },
      ),
      { numRuns: 150 },
    );
    await stage.upstream.close();
    await until(() => upstream.sockets.size === 0, 'every socket is closed');
  }, 60_000);
});
