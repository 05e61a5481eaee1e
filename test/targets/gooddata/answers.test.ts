import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpClient } from '../../../src/ops/http.ts';
import { createGoodDataTarget } from '../../../src/targets/gooddata/target.ts';
import { MISSING, startOrganisation } from './subject.ts';

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
}

const signal = new AbortController().signal;
const PROFILE: Answer = {
  status: 200,
  headers: { 'content-type': 'application/json' },
  text: JSON.stringify({ userId: 'gateway', permissions: ['MANAGE'] }),
};
const API = { 'content-type': 'application/vnd.gooddata.api+json' };
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A target in front of a server that answers as it is told, but for the profile. */
async function facing(answer: (request: IncomingMessage) => Answer) {
  const seen: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(request);
    const { status, headers, text } = request.url === '/api/v1/profile' ? PROFILE : answer(request);
    response.writeHead(status, headers).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = createHttpClient();
  closing.push(async () => {
    await http.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = { url, token: 'secret-token', timeout: 2_000, missing: MISSING, workspaces: {} };
  const target = createGoodDataTarget({ name: 'gooddata', config, http, log: { warn: () => {} } });
  const find = (externalId: string) => target.read({ kind: 'person', lookup: { externalId, userNames: [] } }, signal);
  return { target, find, seen };
}

describe('answers that are not what was asked for', () => {
  const login = 'https://acme.example/oauth2/authorization/acme.example';
  const cases: readonly (readonly [what: string, answer: Answer, code: string])[] = [
    ['401 with the address of the login', { status: 401, text: '/appLogin' }, 'target_refused'],
    ['401 without a body', { status: 401 }, 'target_refused'],
    ['403', { status: 403, headers: { 'content-type': 'application/problem+json' }, text: '{}' }, 'target_refused'],
    ['a redirect to the login', { status: 302, headers: { location: login } }, 'target_refused'],
    [
      'a relative redirect to the login',
      { status: 302, headers: { location: '/appLogin?redirectTo=x' } },
      'target_refused',
    ],
    [
      'a redirect elsewhere',
      { status: 302, headers: { location: 'https://elsewhere.example/' } },
      'target_answer_invalid',
    ],
    [
      '404 of the API',
      { status: 404, headers: { 'content-type': 'application/problem+json' }, text: '{}' },
      'target_refused',
    ],
    [
      '404 of another server',
      { status: 404, headers: { 'content-type': 'text/html' }, text: '<h1>' },
      'target_answer_invalid',
    ],
    ['400', { status: 400, headers: { 'content-type': 'application/problem+json' }, text: '{}' }, 'target_refused'],
    ['a page', { status: 200, headers: { 'content-type': 'text/html' }, text: '<html>' }, 'target_answer_invalid'],
    ['a page that says it is JSON', { status: 200, headers: API, text: '<html>' }, 'target_answer_invalid'],
    ['half a document', { status: 200, headers: API, text: '{"data":[{"id":' }, 'target_answer_invalid'],
    ['a document without data', { status: 200, headers: API, text: '{}' }, 'target_answer_invalid'],
    ['users without ids', { status: 200, headers: API, text: '{"data":[{"type":"user"}]}' }, 'target_answer_invalid'],
    ['500', { status: 500 }, 'target_unavailable'],
  ];

  it.each(cases)('%s', async (_what, answer, code) => {
    const { find } = await facing(() => answer);
    await expect(find('x')).rejects.toMatchObject({ code });
  });

  it('keeps the trace id of the service for its support, and no claim value or token', async () => {
    const { find } = await facing(() => ({ status: 500, headers: { 'X-GDC-TRACE-ID': 'abc123' } }));
    const error = await find('auth0|secret-person').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ detail: { traceId: 'abc123', status: 500, call: 'GET entities/users' } });
    expect(JSON.stringify({ ...(error as object), message: String(error) })).not.toMatch(/secret/);
  });

  it('says of a date in Retry-After how many seconds that is', async () => {
    const at = new Date(Date.now() + 90_000).toUTCString();
    const { find } = await facing(() => ({ status: 503, headers: { 'retry-after': at } }));
    const error = (await find('x').catch((thrown: unknown) => thrown)) as { retryAfterSeconds: number };
    expect(error.retryAfterSeconds).toBeGreaterThan(80);
    expect(error.retryAfterSeconds).toBeLessThanOrEqual(90);
  });
});

describe('a service with its own ideas', () => {
  const page = (users: readonly unknown[]): Answer => ({
    status: 200,
    headers: API,
    text: JSON.stringify({ data: users, links: { next: 'x' } }),
  });
  const user = (id: string, authenticationId: string) => ({ id, type: 'user', attributes: { authenticationId } });

  it('is not believed when its == understands wildcards', async () => {
    const everybody = ['aa', 'ab', 'ac', 'zz'].map((id) => user(id, id === 'zz' ? 'a*' : id));
    const { find, seen } = await facing(({ url = '' }) =>
      page(url.includes('size=2') ? everybody.slice(0, 2) : everybody),
    );
    expect((await find('a*')).accounts.map(({ id }) => id)).toEqual(['zz']);
    expect((await find('A')).accounts).toEqual([]);
    expect(seen.length).toBeGreaterThan(2);
  });

  it('is told each time what the real one wants to hear', async () => {
    const { find, seen } = await facing(() => page([]));
    await find('x');
    expect(seen.at(-1)?.headers).toMatchObject({
      accept: 'application/vnd.gooddata.api+json',
      authorization: 'Bearer secret-token',
      'x-requested-with': 'XMLHttpRequest',
      'x-gdc-validate-relations': 'true',
    });
  });

  it('may leave members out and add others', async () => {
    const { find } = await facing(() =>
      page([{ id: 'a', type: 'user', attributes: { authenticationId: 'x', email: null, new: 1 }, meta: {} }]),
    );
    expect((await find('x')).accounts).toEqual([
      {
        id: 'a',
        userName: 'a',
        externalId: 'x',
        active: true,
        isProtected: false,
        profile: { givenName: null, familyName: null, email: null },
        entitlements: [],
      },
    ]);
  });
});

describe('the token', () => {
  it('must be of somebody who may manage users', async () => {
    const { emulator, target, close } = await startOrganisation();
    closing.push(close);
    expect(await target.probe(signal)).toEqual({ account: 'admin' });
    emulator.state.organizationPermissions = [];
    await expect(target.probe(signal)).rejects.toMatchObject({ code: 'target_refused' });
  });

  it('is refused when it is wrong', async () => {
    const { target, close } = await startOrganisation({ token: 'wrong' });
    closing.push(close);
    await expect(target.probe(signal)).rejects.toMatchObject({ code: 'target_refused', detail: { status: 401 } });
  });
});
