import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { startChild, waitUntil } from './child.ts';

const READY_TIMEOUT_MS = 15_000;

/** `LATCHGATE_CADDY`, or the one of the system; undefined when there is none. */
export function findCaddy(): string | undefined {
  const named = process.env['LATCHGATE_CADDY'];
  if (named !== undefined) return named;
  const places = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'caddy'));
  return places.find((place) => existsSync(place));
}

/** A Caddy that runs this Caddyfile, without its administration port and without certificates. */
export async function startCaddy(
  program: string,
  { caddyfile, port }: { readonly caddyfile: string; readonly port: number },
): Promise<{ readonly log: readonly string[]; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-caddy-'));
  const file = join(folder, 'Caddyfile');
  writeFileSync(file, `{\n\tadmin off\n\tauto_https off\n}\n${caddyfile}`);
  const child = startChild('caddy', [program, 'run', '--config', file, '--adapter', 'caddyfile'], {
    cwd: folder,
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  child.exited.then(() => rmSync(folder, { recursive: true, force: true }));
  await waitUntil(child, READY_TIMEOUT_MS, () => isOpen(port));
  return { log: child.log, stop: () => child.stop() };
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
