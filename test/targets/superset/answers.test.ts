import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpClient } from '../../../src/ops/http.ts';
import { createSupersetTarget } from '../../../src/targets/superset/target.ts';
import { change, signal } from './people.ts';
import { AUDIENCE, ISSUER, targetConfig, testSigner } from './subject.ts';

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}

const API = { 'content-type': 'application/json' };
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A target in front of a server that answers as it is told. */
async function facing(answer: (request: IncomingMessage, at: number) => Answer) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    const { status, headers, text } = answer(request, seen.length);
    response.writeHead(status, headers).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = createHttpClient();
  closing.push(async () => {
    await http.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const config = targetConfig(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const target = createSupersetTarget({
    name: AUDIENCE,
    config,
    http,
    signer: await testSigner(),
    publicUrl: ISSUER,
  });
  return { target, seen };
}

const json = (body: unknown, status = 200): Answer => ({ status, headers: API, text: JSON.stringify(body) });
const user = { id: 5, username: 'alice', first_name: 'A', last_name: 'B', email: 'a@example.com', active: true };
const alice = { ...user, roles: [{ id: 4, name: 'Gamma' }], groups: [] };

describe('answers that are not what was asked for', () => {
  const cases: readonly (readonly [what: string, answer: Answer, code: string])[] = [
    ['401', json({ msg: 'Missing Authorization Header' }, 401), 'target_refused'],
    ['422 about a token', json({ msg: 'Signature verification failed' }, 422), 'target_refused'],
    ['403', json({ message: 'Forbidden' }, 403), 'target_refused'],
    ['400', json({ message: 'Filter column: x not allowed to filter' }, 400), 'target_refused'],
    ['the login page', { status: 302, headers: { location: '/login/?next=%2Fapi' } }, 'target_refused'],
    ['the login page below a prefix', { status: 302, headers: { location: 'http://bi/x/login/' } }, 'target_refused'],
    ['a redirect elsewhere', { status: 308, headers: { location: 'https://bi/api/' } }, 'target_answer_invalid'],
    ['404 of an address that Superset has not', json({ errors: [{ message: '404' }] }, 404), 'target_refused'],
    [
      '404 of another server',
      { status: 404, headers: { 'content-type': 'text/html' }, text: '<h1>' },
      'target_answer_invalid',
    ],
    ['a page', { status: 200, headers: { 'content-type': 'text/html' }, text: '<html>' }, 'target_answer_invalid'],
    ['half a document', { status: 200, headers: API, text: '{"result":{"id":' }, 'target_answer_invalid'],
    ['a user without an id', json({ result: { ...alice, id: undefined } }), 'target_answer_invalid'],
    ['a user without roles', json({ result: { ...alice, roles: undefined } }), 'target_answer_invalid'],
    ['500', json({ message: 'Fatal error' }, 500), 'target_unavailable'],
    [
      '503 of a proxy',
      { status: 503, headers: { 'content-type': 'text/html', 'retry-after': '0' }, text: '' },
      'target_unavailable',
    ],
  ];

  it.each(cases)('%s', async (_what, answer, code) => {
    const { target } = await facing(() => answer);
    const read = target.read({ kind: 'person', lookup: { accountId: '5', userNames: [] } }, signal);
    await expect(read).rejects.toMatchObject({ code });
  });

  it('say in the log what was called, and nothing of who was looked for', async () => {
    const { target } = await facing(() => json({ message: 'secret-person' }, 500));
    const lookup = { userNames: ['secret-person'], email: 'secret@example.com' };
    const error = await target.read({ kind: 'person', lookup }, signal).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ detail: { status: 500, call: 'GET users/' } });
    expect(JSON.stringify({ ...(error as object), message: String(error) })).not.toMatch(/secret/);
  });

  it('never pass for an account that is gone', async () => {
    const { target } = await facing(() => json({ errors: [] }, 404));
    const actual = { id: '5', userName: 'alice', active: true, profile: {}, entitlements: [], isProtected: false };
    await expect(target.apply(change(actual, { remove: true }), signal)).rejects.toMatchObject({
      code: 'target_refused',
    });
  });
});

describe('an answer that is mixed up with another client’s', () => {
  const list = (rows: readonly unknown[]) => json({ count: rows.length, ids: [], result: rows });
  const stranger = { ...alice, id: 6, username: 'mallory', email: 'm@example.com' };
  const find = { kind: 'person', lookup: { userNames: ['alice'] } } as const;

  it('is asked for again', async () => {
    const { target, seen } = await facing((_, at) => list(at === 1 ? [stranger] : [alice]));
    expect((await target.read(find, signal)).accounts.map(({ id }) => id)).toEqual(['5']);
    expect(seen).toHaveLength(2);
  });

  it('is never taken for the person, and not asked for without end', async () => {
    const { target, seen } = await facing((_, at) =>
      list(at % 2 === 0 ? [stranger] : [stranger, { ...stranger, id: 7 }]),
    );
    expect((await target.read(find, signal)).accounts).toEqual([]);
    expect(seen).toHaveLength(3);
  });

  it('does not make a role look missing', async () => {
    const { target } = await facing((_, at) => list(at === 1 ? [] : [{ id: 3, name: 'Alpha' }]));
    expect(await target.find([{ kind: 'role', name: 'Alpha' }], signal)).toHaveLength(1);
  });
});
