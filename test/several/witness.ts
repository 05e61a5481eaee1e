import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteJWKSet, jwtVerify } from 'jose';

/** By which the load says who asks, so that the backend can tell whether somebody got in who may not. */
export const CALLER = 'x-caller';
/** Callers that must never arrive. */
const NEVER = new Set(['nobody', 'logged-out']);

const RESET_AFTER_BYTES = 20_000;

export interface Echo {
  /** Who it is by the signed statement. */
  readonly user: string;
  readonly method: string;
  readonly digest: string;
}

export interface Witness {
  readonly url: string;
  /** What should never have come: whose it was, and where to. */
  readonly wrong: readonly string[];
  /** Connections are cut off in the middle of so large a part of the answers, 0 to 1. */
  resets: number;
  close(): Promise<void>;
}

/**
 * A backend that says who it was told is asking, after checking the gateway's signature. What is
 * below /api and /login goes on to the real one behind it, where the accounts are.
 */
export async function startWitness(backendUrl: string, jwksUrl: string, audience: string): Promise<Witness> {
  const wrong: string[] = [];
  const keys = createRemoteJWKSet(new URL(jwksUrl), { cooldownDuration: 0 });
  const verified = new Map<string, string>();
  const witness = { resets: 0 };

  const userOf = async (req: IncomingMessage): Promise<string> => {
    const token = String(req.headers['x-latchgate-assertion'] ?? '');
    const user = verified.get(token) ?? String((await jwtVerify(token, keys, { audience })).payload.sub);
    verified.set(token, user);
    if (req.headers['x-forwarded-user'] !== user) wrong.push(`${req.url} named two people`);
    return user;
  };
  const look = (req: IncomingMessage): void => {
    const caller = String(req.headers[CALLER] ?? '');
    if (NEVER.has(caller)) wrong.push(`${caller} reached ${req.method} ${req.url}`);
  };
  const echo = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const hash = createHash('sha256');
    for await (const chunk of req) hash.update(chunk);
    const user = await userOf(req);
    const said: Echo = { user, method: req.method ?? '', digest: hash.digest('hex') };
    if (Math.random() < witness.resets) {
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': RESET_AFTER_BYTES * 2 });
      res.write(' '.repeat(RESET_AFTER_BYTES), () => req.socket.resetAndDestroy());
      return;
    }
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify(said));
  };
  const server = createServer((req, res) => {
    // What the gateway asks for itself; what people ask for has a caller.
    if (req.headers[CALLER] === undefined && /^\/(api|login)\b/.test(req.url ?? '')) return pass(req, res, backendUrl);
    look(req);
    echo(req, res).catch((error: unknown) => {
      if (!res.headersSent) res.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    wrong,
    get resets() {
      return witness.resets;
    },
    set resets(part: number) {
      witness.resets = part;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function pass(req: IncomingMessage, res: ServerResponse, backendUrl: string): void {
  const { method = 'GET', headers, url = '/' } = req;
  const onward = request(new URL(url, backendUrl), { method, headers }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  });
  onward.on('error', () => res.destroy());
  req.pipe(onward);
}
