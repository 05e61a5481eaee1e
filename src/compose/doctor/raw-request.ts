import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Place {
  readonly host: string;
  readonly port: number;
  /** Present: by TLS, asking for this name. */
  readonly tls?: string;
}

export interface RawAnswer {
  readonly status: number;
  /** Of Set-Cookie lines: NAME=VALUE, joined as in a Cookie header. */
  readonly cookies: string;
  readonly body: string;
}

const LIMIT_BYTES = 65_536;
const SILENCE_MS = 5_000;

/**
 * Sends these very lines on a connection of its own and reads the answer: no library may tidy up a header's spelling.
 * Undefined: nobody answered, or not by HTTP.
 */
export function askRaw(place: Place, lines: readonly string[], signal: AbortSignal): Promise<RawAnswer | undefined> {
  return new Promise((done) => {
    const { host, port, tls } = place;
    const socket =
      tls === undefined
        ? connect({ host, port })
        : connectTls({ host, port, servername: tls, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    let heard = Buffer.alloc(0);
    const end = (): void => {
      signal.removeEventListener('abort', end);
      socket.destroy();
      done(parsed(heard.toString('latin1')));
    };
    signal.addEventListener('abort', end, { once: true });
    socket.setTimeout(SILENCE_MS, end);
    socket.once('error', end);
    socket.once('close', end);
    socket.on('data', (chunk) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length > LIMIT_BYTES) end();
    });
    socket.write(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`, 'latin1');
  });
}

function parsed(text: string): RawAnswer | undefined {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (status === undefined) return undefined;
  const end = text.indexOf('\r\n\r\n');
  const head = end === -1 ? text : text.slice(0, end);
  const cookies = [...head.matchAll(/^set-cookie:\s*([^;\r\n]+)/gim)].map(([, pair]) => pair as string);
  return { status: Number(status), cookies: cookies.join('; '), body: end === -1 ? '' : text.slice(end + 4) };
}
