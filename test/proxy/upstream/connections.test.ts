import type { Socket } from 'node:net';
import { closeAll, exchange, parseAnswer, startRawUpstream, until } from '../harness.ts';
import { OK } from './answers.ts';
import { type Client, GET, open, startStage } from './stage.ts';

afterEach(closeAll);

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const request = (method: string, path: string, lines = '', body = '') =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n${body}`;
const get = (path: string) => request('GET', path);
const statuses = (clients: readonly Client[]) => clients.map(({ raw }) => parseAnswer(raw).status);

/** What answers each request by its number, from 1. */
async function startCounted(react: (socket: Socket, count: number, bytes: string) => void) {
  let count = 0;
  let connections = 0;
  const known = new WeakSet<Socket>();
  const upstream = await startRawUpstream((socket, bytes) => {
    if (!known.has(socket)) connections += 1;
    known.add(socket);
    count += 1;
    react(socket, count, bytes);
  });
  return { ...upstream, connections: () => connections };
}

describe('a connection that was kept', () => {
  it('is used again: the one that was used last', async () => {
    const upstream = await startCounted((socket, count) => {
      if (count <= 2) setTimeout(() => socket.write(OK), 30);
      else socket.write(OK);
    });
    const { port } = await startStage(upstream.url);
    await Promise.all([exchange(port, get('/1')), exchange(port, get('/2'))]);
    for (let at = 0; at < 5; at += 1) await exchange(port, get('/3'));
    expect(upstream.connections()).toBe(2);
  });

  it.each([
    ['Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['close among others', 'HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 2\r\n\r\nok'],
    ['close on a second line', 'HTTP/1.1 200 OK\r\nConnection: x\r\nconnection: CLOSE\r\nContent-Length: 2\r\n\r\nok'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'],
    ['a timeout of nothing', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=0\r\nContent-Length: 2\r\n\r\nok'],
    ['a timeout too short', 'HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=0\r\nContent-Length: 2\r\n\r\nok'],
  ])('is not kept after %s', async (_name, bytes) => {
    const upstream = await startCounted((socket) => void socket.write(bytes));
    const { port } = await startStage(upstream.url);
    for (let at = 0; at < 3; at += 1) expect(parseAnswer(await exchange(port, get('/'))).body).toBe('ok');
    expect(upstream.connections()).toBe(3);
    await until(() => upstream.sockets.size === 0, 'every socket is closed');
  });

  it('is closed when nobody needs it, sooner when the upstream says so', async () => {
    const closed: string[] = [];
    const start = async (name: string, line: string) => {
      const upstream = await startCounted((socket) => {
        socket.on('close', () => closed.push(name));
        socket.write(`HTTP/1.1 200 OK\r\n${line}Content-Length: 2\r\n\r\nok`);
      });
      await exchange((await startStage(upstream.url)).port, get('/'));
      return upstream;
    };
    const patient = await start('patient', 'Keep-Alive: timeout=60\r\n');
    const hasty = await start('hasty', 'Keep-Alive: timeout=1, max=100\r\n');
    expect([patient.sockets.size, hasty.sockets.size]).toEqual([1, 1]);
    await until(() => closed.length === 2, 'both are closed');
    expect(closed).toEqual(['hasty', 'patient']);
  });

  it.each(['GET', 'HEAD', 'OPTIONS'])('and was closed meanwhile is replaced once for %s', async (method) => {
    const upstream = await startCounted((socket, count) => {
      if (count === 2) socket.resetAndDestroy();
      else socket.write(method === 'HEAD' ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n' : OK);
    });
    const { port, failed } = await startStage(upstream.url);
    await exchange(port, request(method, '/1'));
    expect(parseAnswer(await exchange(port, request(method, '/2'))).status).toBe(200);
    expect(failed).toEqual([]);
    expect(upstream.requests.map((bytes) => bytes.split(' ')[1])).toEqual(['/1', '/2', '/2']);
  });

  it('and its replacement that was closed too are enough', async () => {
    const upstream = await startCounted((socket, count) => {
      if (count === 1) socket.write(OK);
      else socket.end();
    });
    const { port } = await startStage(upstream.url);
    await exchange(port, get('/1'));
    const answer = parseAnswer(await exchange(port, get('/2')));
    expect([answer.status, answer.body]).toEqual([502, 'upstream_unavailable']);
    expect(upstream.requests).toHaveLength(3);
  });

  it.each([
    ['POST', '', ''],
    ['PUT', 'Content-Length: 3\r\n', 'abc'],
    ['DELETE', '', ''],
    ['PATCH', 'Content-Length: 3\r\n', 'abc'],
    ['get', '', ''],
    ['PROPFIND', '', ''],
    ['GET', 'Content-Length: 3\r\n', 'abc'],
  ])('and was closed meanwhile is no excuse to ask twice: %s %s', async (method, lines, body) => {
    const upstream = await startCounted((socket, count) => {
      if (count === 1) socket.write(OK);
      else socket.resetAndDestroy();
    });
    const { port } = await startStage(upstream.url);
    await exchange(port, get('/1'));
    const answer = parseAnswer(await exchange(port, request(method, '/2', lines, body)));
    expect(upstream.requests.filter((bytes) => bytes.includes('/2'))).toHaveLength(method === 'get' ? 0 : 1);
    expect(answer.status).toBe(method === 'get' ? 400 : 502);
  });

  it('and of which a byte of the answer came is no excuse either', async () => {
    const upstream = await startCounted((socket, count) => {
      if (count === 1) return void socket.write(OK);
      socket.write('H');
      setTimeout(() => socket.end(), 20);
    });
    const { port } = await startStage(upstream.url);
    await exchange(port, get('/1'));
    expect(parseAnswer(await exchange(port, get('/2'))).body).toBe('upstream_invalid');
    expect(upstream.requests).toHaveLength(2);
  });

  it('is not where a new one is tried again', async () => {
    const upstream = await startCounted((socket) => socket.resetAndDestroy());
    const { port } = await startStage(upstream.url);
    expect(parseAnswer(await exchange(port, get('/'))).status).toBe(502);
    expect(upstream.requests).toHaveLength(1);
  });
});

describe('of connections there are', () => {
  it('no more than allowed: the others wait their turn, and beyond twice as many are refused', async () => {
    const waiting: Socket[] = [];
    const upstream = await startCounted((socket) => void waiting.push(socket));
    const { port } = await startStage(upstream.url, { connections: 2 });
    const clients = Array.from({ length: 2 }, (_, at) => open(port, get(`/${at}`)));
    await until(() => waiting.length === 2, 'both connections are busy');
    for (let at = 2; at < 6; at += 1) {
      clients.push(open(port, get(`/${at}`)));
      await pause(20);
    }
    const beyond = open(port, get('/6'));
    await until(() => beyond.isClosed, 'an answer');
    expect(parseAnswer(beyond.raw)).toMatchObject({ status: 502, body: 'upstream_unavailable' });
    while (clients.some(({ isClosed }) => !isClosed)) {
      waiting.shift()?.write(OK);
      await pause(5);
    }
    expect(statuses(clients)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(upstream.connections()).toBe(2);
    expect(upstream.requests.map((bytes) => bytes.split(' ')[1]).slice(2)).toEqual(['/2', '/3', '/4', '/5']);
  });

  it('enough again when one is lost', async () => {
    const sockets: Socket[] = [];
    const upstream = await startCounted((socket, count) => {
      sockets.push(socket);
      if (count > 1) socket.write(OK);
    });
    const { port } = await startStage(upstream.url, { connections: 1 });
    const first = open(port, get('/1'));
    await until(() => sockets.length === 1, 'the connection is busy');
    const second = open(port, get('/2'));
    await pause(30);
    sockets[0]?.destroy();
    await until(() => first.isClosed && second.isClosed, 'both answers');
    expect(statuses([first, second])).toEqual([502, 200]);
  });

  it('none for whoever waited too long, or has gone', async () => {
    const upstream = await startCounted(() => {});
    const { port, failed } = await startStage(upstream.url, { connections: 1, connectTimeoutMs: 300 });
    open(port, get('/busy'));
    await until(() => upstream.requests.length === 1, 'the connection is busy');
    const gone = open(port, get('/gone'));
    const patient = open(port, get('/patient'));
    await pause(30);
    gone.socket.destroy();
    await until(() => patient.isClosed, 'an answer');
    expect(parseAnswer(patient.raw)).toMatchObject({ status: 504, body: 'upstream_timeout' });
    expect(failed.map(({ error }) => error.code)).toEqual(['upstream_unavailable', 'upstream_timeout']);
    expect(upstream.requests).toHaveLength(1);
  });
});

describe('an upstream that is slow', () => {
  it.each([
    ['silent', ''],
    ['trickling', 'HTTP/1.1 200 OK\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
    ['full of hints', 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n'],
  ])('to answer is a 504: %s', async (_name, bytes) => {
    const upstream = await startCounted((socket) => {
      let at = 0;
      const timer = setInterval(() => socket.write(bytes.slice(at, ++at)), 20);
      socket.on('close', () => clearInterval(timer));
    });
    const { port } = await startStage(upstream.url, { answerTimeoutMs: 300 });
    const answer = parseAnswer(await exchange(port, get('/')));
    expect([answer.status, answer.body]).toEqual([504, 'upstream_timeout']);
    await until(() => upstream.sockets.size === 0, 'the socket is closed');
  });

  it('between two pieces of an answer has it broken off; one that goes on for longer than that does not', async () => {
    const upstream = await startRawUpstream((socket, bytes) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      let pieces = 0;
      const timer = setInterval(() => {
        pieces += 1;
        if (pieces <= 8) socket.write('1\r\na\r\n');
        else if (bytes.includes('/ends')) socket.end('0\r\n\r\n');
      }, 200);
      socket.on('close', () => clearInterval(timer));
    });
    const { port, failed } = await startStage(upstream.url, { idleTimeoutMs: 1_200, answerTimeoutMs: 1_000 });
    const [ends, halts] = await Promise.all([exchange(port, get('/ends')), exchange(port, get('/halts'))]);
    expect(ends).toMatch(/(1\r\na\r\n){8}0\r\n\r\n$/);
    expect(halts).toMatch(/(1\r\na\r\n){8}$/);
    expect(failed.map(({ error, started }) => [error.code, started])).toEqual([['upstream_timeout', true]]);
  });

  it('and a client that reads nothing are let go of together', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
      socket.write(Buffer.alloc(64 * 1024 * 1024));
    });
    const { port, failed } = await startStage(upstream.url, { idleTimeoutMs: 400 });
    const client = open(port, GET);
    client.socket.pause();
    await until(() => failed.length === 1, 'the exchange is given up');
    expect(failed[0]).toMatchObject({ started: true, error: { code: 'upstream_unavailable' } });
    await until(() => upstream.sockets.size === 0, 'the upstream socket is closed');
  });
});

describe('closing', () => {
  it('leaves no socket, whatever was under way, and nothing goes out afterwards', async () => {
    const upstream = await startRawUpstream((socket, bytes) => {
      if (bytes.includes('/idle')) socket.write(OK);
      if (bytes.includes('/stream')) socket.write('HTTP/1.1 200 OK\r\n\r\nbegun');
      if (bytes.includes('/half')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
    });
    const stage = await startStage(upstream.url, { connections: 5 });
    await exchange(stage.port, get('/idle'));
    const paths = ['/stream', '/silent', '/half', '/silent', '/silent', '/queued'];
    const clients = paths.map((path) => open(stage.port, get(path)));
    clients.push(open(stage.port, request('POST', '/upload', 'Content-Length: 100\r\n', 'abc')));
    await until(() => upstream.requests.length === 6 && clients[0]?.raw.includes('begun') === true, 'all is under way');
    await stage.upstream.close();
    await until(() => upstream.sockets.size === 0, 'every socket is closed');
    await until(() => clients.every(({ raw, isClosed }) => isClosed || raw.includes('502')), 'everybody knows');
    expect(stage.failed).toHaveLength(7);
    expect(parseAnswer(await exchange(stage.port, get('/late'))).status).toBe(502);
    expect(upstream.requests.join()).not.toContain('/late');
    await stage.upstream.close();
  });

  it('gives up what a client no longer waits for', async () => {
    const upstream = await startRawUpstream((socket, bytes) => {
      if (bytes.includes('/stream')) socket.write('HTTP/1.1 200 OK\r\n\r\nbegun');
    });
    const { port } = await startStage(upstream.url);
    const clients = [open(port, get('/silent')), open(port, get('/stream'))];
    clients.push(open(port, request('POST', '/upload', 'Content-Length: 100\r\n', 'abc')));
    await until(() => upstream.sockets.size === 3 && upstream.requests.length === 3, 'all is under way');
    for (const { socket } of clients) socket.destroy();
    await until(() => upstream.sockets.size === 0, 'every socket is closed');
  });
});
