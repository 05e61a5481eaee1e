import { writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { configText, type Sections } from './company.ts';
import type { Journey } from './harness.ts';

/** What a fixture can be made of. */
export interface Fixture {
  /** In place of those of the company. */
  readonly sections?: Sections;
  readonly env?: Readonly<Record<string, string>>;
}

let files = 0;

/** Writes a config beside that of the company. */
export function writeConfig({ folder }: Journey, sections: Sections): string {
  files += 1;
  const file = join(folder, `sick-${files}.yaml`);
  writeFileSync(file, configText(sections), { mode: 0o600 });
  return file;
}

export interface Diagnosis {
  readonly code: number;
  readonly codes: readonly string[];
  readonly seen: string;
}

/** `doctor --json` with a config in which something is wrong. */
export async function diagnose(
  journey: Journey,
  whole: Sections,
  { sections = {}, env = {} }: Fixture,
): Promise<Diagnosis> {
  const terminal = makeTerminal({ ...journey.env, ...env });
  const code = await run(['doctor', '--json', '--config', writeConfig(journey, { ...whole, ...sections })], terminal);
  const text = terminal.lines.join('\n');
  if (text === '') throw new Error(terminal.errors.join('\n'));
  const { findings } = JSON.parse(text) as { findings: { code: string; seen: string }[] };
  return {
    code,
    codes: [...new Set(findings.map((one) => one.code))].sort(),
    seen: findings.map((one) => one.seen).join('\n'),
  };
}

export interface Stub {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Answers HTTP as it is told. */
export async function answering(answer: (req: IncomingMessage, res: ServerResponse) => void): Promise<Stub> {
  const server = createHttpServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export interface ProviderQuirks {
  /** Over the discovery document. `null` takes a member away. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly keys?: readonly object[];
  /** Added to the Date header. */
  readonly aheadMs?: number;
  readonly authorize?: number;
}

const KEY = { kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256', kid: 'k', x: 'x', y: 'y' };

/** A provider that is sound but for its quirks. It never logs anybody in. */
export function startQuirkyProvider(quirks: ProviderQuirks): Promise<Stub> {
  let url = '';
  const started = answering((req, res) => {
    res.sendDate = false;
    res.setHeader('Date', new Date(Date.now() + (quirks.aheadMs ?? 0)).toUTCString());
    const json = (status: number, body: unknown): void => {
      res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    };
    const { pathname, searchParams } = new URL(req.url ?? '/', url);
    if (pathname === '/.well-known/openid-configuration') return json(200, documentOf(url, quirks.metadata ?? {}));
    if (pathname === '/keys') return json(200, { keys: quirks.keys ?? [KEY] });
    if (pathname === '/token') return json(400, { error: 'invalid_grant' });
    if (pathname !== '/authorize') return json(404, {});
    if (quirks.authorize !== undefined) return json(quirks.authorize, {});
    res.writeHead(302, { Location: `${searchParams.get('redirect_uri')}?error=login_required` }).end();
  });
  return started.then((stub) => {
    url = stub.url;
    return stub;
  });
}

function documentOf(url: string, over: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const document: Record<string, unknown> = {
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/keys`,
    end_session_endpoint: `${url}/end`,
    backchannel_logout_supported: true,
    scopes_supported: ['openid', 'profile', 'email'],
    id_token_signing_alg_values_supported: ['ES256'],
    ...over,
  };
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null));
}

/** Speaks as much of the Redis protocol as a look at it takes; `info` is what INFO answers. */
export async function startQuirkyRedis(info: string): Promise<Stub> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const commands = chunk.toString().match(/\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)+/g) ?? [];
      for (const command of commands) {
        const isInfo = /\r\ninfo\r\n/i.test(command);
        socket.write(isInfo ? `$${Buffer.byteLength(info)}\r\n${info}\r\n` : '+OK\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
