import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

export const HOST = 'Host: bi.example.com';
export const COOKIE = 'Cookie: latchgate=alice';

/** A head with alice's session; `lines` stand behind Host and Cookie. */
export function head(line: string, ...lines: readonly string[]): string {
  return `${[line, HOST, COOKIE, ...lines].join('\r\n')}\r\n\r\n`;
}

/** What must never be served when it stands behind something that was refused. */
export const SMUGGLED = head('GET /smuggled HTTP/1.1');

/** A character by its number, Latin-1: tables of control characters stay readable. */
export const char = (code: number): string => String.fromCharCode(code);

/** Status codes of everything that came back until the other side closed; `open` when it did not. */
export async function statuses(
  port: number,
  bytes: string,
  cuts: readonly number[] = [],
  patienceMs: number = PATIENCE_MS,
): Promise<string> {
  const raw = await send(port, bytes, cuts, patienceMs);
  const codes = [...raw.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => code);
  return [...codes, raw.isClosed ? 'closed' : 'open'].join(' ');
}

/** Longer than any answer of a local upstream takes; only what is kept open waits for it. */
const PATIENCE_MS = 2_000;

async function send(port: number, bytes: string, cuts: readonly number[], patienceMs: number) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  const closed = new Promise<boolean>((resolve) => {
    socket.once('close', () => resolve(true));
    setTimeout(() => resolve(false), patienceMs).unref();
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  const all = Buffer.from(bytes, 'latin1');
  let from = 0;
  for (const cut of [...cuts, all.length]) {
    if (cut <= from || socket.destroyed) continue;
    socket.write(all.subarray(from, Math.min(cut, all.length)));
    from = cut;
    await turn();
    await turn();
  }
  const isClosed = await closed;
  socket.destroy();
  return { text, isClosed };
}
