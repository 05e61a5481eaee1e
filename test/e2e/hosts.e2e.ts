import { createHash } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { GOODDATA, person } from '../journey/company.ts';
import { type Journey, startJourney } from '../journey/harness.ts';
import { startChromium } from '../services/chromium.ts';
import { type Certificates, makeCertificates } from '../services/tls.ts';

const MAIN = 'bi.acme.test';
const REPORTS = 'reports.acme.test';

let made: Certificates;
let backend: Server;
let journey: Journey;
let chromium: Browser;
let main: string;
let reports: string;

beforeAll(async () => {
  made = await makeCertificates(`DNS:${MAIN},DNS:${REPORTS}`);
  journey = await startJourney({
    people: [person('ann', { groups: ['team-a'] })],
    host: MAIN,
    tls: made,
    sections: {
      ...GOODDATA,
      session: '{ secrets: ["only for tests, and long enough for the rule"], cookie_domain: acme.test }',
      routes: `[{ path: /, to: gooddata }, { host: ${REPORTS}, path: /, to: gooddata }]`,
    },
    start: false,
  });
  backend = await startBackend(journey.gooddata.url);
  await journey.start({ GOODDATA_URL: `http://127.0.0.1:${(backend.address() as AddressInfo).port}` });
  chromium = await startChromium('--host-resolver-rules=MAP *.acme.test 127.0.0.1');
  main = journey.url;
  reports = main.replace(MAIN, REPORTS);
});
afterAll(async () => {
  await chromium.close();
  await journey.close();
  await new Promise((resolve) => {
    backend.close(resolve);
    backend.closeAllConnections();
  });
  made.remove();
});

/** A backend with events and a WebSocket that says everything twice; the rest is the emulator's. */
async function startBackend(emulator: string): Promise<Server> {
  const { hostname, port } = new URL(emulator);
  const server = createServer((req, res) => {
    if (req.url === '/page') {
      res.setHeader('Content-Type', 'text/html').end('<!doctype html><title>page</title>');
    } else if (req.url === '/events') {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      let count = 0;
      const timer = setInterval(() => {
        count += 1;
        res.write(`data: ${count}\n\n`);
      }, 50);
      res.once('close', () => clearInterval(timer));
    } else {
      const { method, url: path, headers } = req;
      const onward = request({ hostname, port, method, path, headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      });
      onward.on('error', () => res.destroy());
      req.pipe(onward);
    }
  });
  server.on('upgrade', (req, socket) => {
    const key = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
    socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
    socket.on('error', () => {}).on('end', () => socket.end());
    socket.on('data', (frame: Buffer) => {
      // A short masked text frame (RFC 6455 §5.2).
      if ((frame[0] ?? 0) !== 0x81) return;
      const length = (frame[1] ?? 0) & 0x7f;
      const text = Buffer.from(frame.subarray(6, 6 + length).map((byte, at) => byte ^ (frame[2 + (at % 4)] ?? 0)));
      socket.write(Buffer.concat([Buffer.from([0x81, 2 * length]), text, text]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function visit(): Promise<{ context: BrowserContext; page: Page }> {
  const context = await chromium.newContext({ ignoreHTTPSErrors: true });
  return { context, page: await context.newPage() };
}

/** By which protocol the page came, as the browser says. */
const protocol = (page: Page) => page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol");

it('one login is good for both hosts, over HTTP/2, and so is one logout', async () => {
  const { context, page } = await visit();
  await page.goto(`${reports}/page?x=1`);
  await page.getByRole('button', { name: 'ann' }).click();
  await page.waitForURL(`${reports}/page?x=1`);
  expect(await protocol(page)).toBe('h2');
  await page.goto(`${main}/page`);
  expect([page.url(), await protocol(page)]).toEqual([`${main}/page`, 'h2']);
  const cookies = await context.cookies([main, reports]);
  expect(cookies.find(({ name }) => name === '__Secure-latchgate')).toMatchObject({
    domain: '.acme.test',
    secure: true,
    httpOnly: true,
    sameSite: 'Lax',
  });
  expect(cookies.find(({ name }) => name === '__Host-latchgate-login')).toMatchObject({ domain: MAIN });
  await page.goto(`${reports}/.latchgate/logout`);
  expect(await protocol(page)).toBe('h2');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(/\/(session|interaction|\.latchgate)/);
  expect((await context.cookies([main, reports])).map(({ name }) => name)).not.toContain('__Secure-latchgate');
  await context.close();
});

it('events come over HTTP/2 and WebSockets beside it, and both end with the session', async () => {
  const { context, page } = await visit();
  await page.goto(`${main}/page`);
  await page.getByRole('button', { name: 'ann' }).click();
  await page.waitForURL(`${main}/page`);
  await page.evaluate(`window.heard = []; window.ended = [];
    window.events = new EventSource('/events');
    events.onmessage = ({ data }) => heard.push(data);
    events.onerror = () => ended.push('events');
    window.socket = new WebSocket('wss://' + location.host + '/ws');
    socket.onopen = () => socket.send('ab');
    socket.onmessage = ({ data }) => heard.push(data);
    socket.onclose = () => ended.push('socket');`);
  await page.waitForFunction("heard.includes('abab') && heard.includes('3')");
  const protocols = "performance.getEntriesByType('resource').map((one) => one.nextHopProtocol)";
  expect(await page.evaluate('ended')).toEqual([]);
  await journey.cli('sessions', 'end', '--all');
  await page.waitForFunction("ended.includes('events') && ended.includes('socket')");
  await page.evaluate('events.close()');
  expect(await page.evaluate(protocols)).not.toContain('http/1.1');
  await context.close();
});

it('a page of one host opens no WebSocket of the other', async () => {
  const { context, page } = await visit();
  await page.goto(`${main}/page`);
  await page.getByRole('button', { name: 'ann' }).click();
  await page.waitForURL(`${main}/page`);
  const outcome = await page.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket(${JSON.stringify(reports.replace('https', 'wss'))} + '/ws');
    socket.onopen = () => resolve('open');
    socket.onerror = () => resolve('refused');
  })`);
  expect(outcome).toBe('refused');
  await context.close();
});
