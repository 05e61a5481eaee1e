import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gateway } from './gateway.ts';
import { scrape } from './metrics.ts';
import { FILES, SOCKET_PATH } from './nginx.ts';
import { openFilesLimit, pssBytes } from './process-tree.ts';
import { API, logInAll } from './rounds.ts';

/** Opened at the same time. */
const CLIENTS = 50;
const WARM_UP_SOCKETS = 500;
const REST_MS = 1_000;
const OPEN_TIMEOUT_MS = 20_000;
const CLOSE_TIMEOUT_MS = 30_000;
/** Files that a process has open besides its tunnels. */
const OTHER_FILES = 200;
const GAUGE = 'latchgate_upgraded_sockets';

/** Memory of idle WebSockets of these people, as many as the limit of open files leaves of `wanted`. */
export async function idleSockets(ours: Gateway, people: readonly string[], wanted: number): Promise<string[]> {
  const cookies = await logInAll(ours, people);
  const files = openFilesLimit(ours.child.pid);
  // A tunnel has two sockets, in the gateway and in the upstream.
  const count = Math.max(1, Math.min(wanted, Math.floor((files - OTHER_FILES) / 2)));
  await closeAll(ours, await openAll(ours, cookies, Math.min(WARM_UP_SOCKETS, count)));
  const before = await restedPss(ours);
  const sockets = await openAll(ours, cookies, count);
  const open = await restedPss(ours);
  const counted = (await scrape(ours))(GAUGE);
  if (counted !== count) throw new Error(`${ours.name}: ${counted} of ${count} WebSockets are open`);
  const answerMs = await ask(ours, cookies[0] ?? '');
  await closeAll(ours, sockets);
  const after = await restedPss(ours);
  const each = (open - before) / 1024 / count;
  const short = count < wanted ? `, of ${wanted} that were asked for: open files are limited to ${files}` : '';
  return [
    `${count} idle WebSockets: ${each.toFixed(1)} KiB each (PSS ${mb(before)} before, ${mb(open)} open, ${mb(after)} after closing)${short}`,
    `a request beside ${count} WebSockets: answered in ${answerMs.toFixed(0)} ms`,
  ];
}

async function openAll(ours: Gateway, cookies: readonly string[], count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let started = 0;
  const client = async () => {
    while (started < count) {
      started += 1;
      sockets.push(await open(ours, cookies[started % cookies.length] ?? ''));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return sockets;
}

/** A handshake by hand (RFC 6455 §4.1), and nothing after it. */
function open({ name, url }: Gateway, cookie: string): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const head = [`GET ${SOCKET_PATH} HTTP/1.1`, `Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket'];
  head.push('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==');
  head.push(`Origin: ${url}`, `Cookie: ${cookie}`);
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let answer = '';
    const fail = (why: string) => {
      socket.destroy();
      reject(new Error(`${name}: a WebSocket was not opened: ${why}`));
    };
    const timer = setTimeout(() => fail('no answer'), OPEN_TIMEOUT_MS);
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => fail(`closed after "${answer.split('\r\n')[0]}"`));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (!answer.includes('\r\n\r\n')) return;
      clearTimeout(timer);
      if (answer.startsWith('HTTP/1.1 101 ')) resolve(socket);
      else fail(answer);
    });
  });
}

/** Until the gateway has none left. */
async function closeAll(ours: Gateway, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  const deadline = Date.now() + CLOSE_TIMEOUT_MS;
  for (let left = 1; left > 0; await sleep(100)) {
    left = (await scrape(ours))(GAUGE);
    if (left > 0 && Date.now() > deadline) throw new Error(`${ours.name}: ${left} WebSockets are still open`);
  }
}

async function ask({ name, url }: Gateway, Cookie: string): Promise<number> {
  const start = performance.now();
  const response = await fetch(`${url}${FILES['1k'].path}`, { headers: { ...API, Cookie }, redirect: 'manual' });
  await response.text();
  if (response.status !== 200) throw new Error(`${name}: a request beside WebSockets is answered ${response.status}`);
  return performance.now() - start;
}

async function restedPss({ child }: Gateway): Promise<number> {
  await sleep(REST_MS);
  return pssBytes(child.pid);
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
