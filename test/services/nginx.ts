import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild, waitUntil } from './child.ts';

const READY_TIMEOUT_MS = 15_000;

export type NginxOptions = {
  /** What stands in `http { }`: `server` blocks and what belongs to them. */
  readonly http: string;
  /** One that it listens on, to know when it is ready. */
  readonly port: number;
};

export type RunningNginx = {
  readonly pid: number;
  /** The error log. */
  readonly log: readonly string[];
  stop(): Promise<void>;
};

/** The nginx of the system in a temporary folder. Its temporary files stay there; nothing is written under /var. */
export async function startNginx({ http, port }: NginxOptions): Promise<RunningNginx> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-nginx-'));
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  for (const place of places) mkdirSync(join(folder, place));
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
${places.map((place) => `  ${place}_temp_path ${join(folder, place)};`).join('\n')}
${http}
}
`,
  );
  const child = startChild('nginx', ['nginx', '-p', folder, '-e', 'stderr', '-c', file]);
  child.exited.then(() => rmSync(folder, { recursive: true, force: true }));
  await waitUntil(child, READY_TIMEOUT_MS, () => isOpen(port));
  // Another process may have had the port, and nginx is about to say so.
  await sleep(50);
  if (!child.running()) throw new Error(`nginx ended:\n${child.log.join('\n')}`);
  return { pid: child.pid, log: child.log, stop: () => child.stop() };
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
