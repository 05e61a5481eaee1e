import { connect } from 'node:net';
import { GOODDATA, gooddataPeople, gooddataUser, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { patchOf, SCIM_TOKEN, type ScimCaller, scimClient, scimOf, scimUser } from './scim-client.ts';

const OTHER_TOKEN = 'other-token-that-only-tests-know-012345678';

let journey: Journey;
let scim: ScimCaller;
beforeAll(async () => {
  const clients = [
    `okta: { tokens: ["${SCIM_TOKEN}"], login: acme, requests_per_minute: 100000 }`,
    `other: { tokens: ["${OTHER_TOKEN}"], target_down: refuse }`,
    'elsewhere: { tokens: ["elsewhere-token-that-only-tests-know-0123"], allow_from: 10.0.0.0/8 }',
    'slow: { tokens: ["slow-token-that-only-tests-know-0123456789"], requests_per_minute: 60 }',
    'made: {}',
  ];
  journey = await startJourney({
    people: [person('ann')],
    sections: { ...GOODDATA, scim: `{ max_body: 65536, clients: { ${clients.join(', ')} } }` },
    start: false,
  });
});
afterAll(() => journey.close());

describe('without a token', () => {
  it('the gateway does not start, until `latchgate scim token` has made one', async () => {
    await expect(journey.start()).rejects.toMatchObject({ code: 'scim_token_missing' });
    const { code, out, err } = await journey.cli('scim', 'token', '--client', 'made', '--expires', '10d');
    expect({ code, out, err }).toMatchObject({ code: 0, out: expect.stringMatching(/^lgscim_[\w-]{43}$/) });
    await journey.start();
    scim = scimOf(journey);
    expect((await scimClient(journey.url, out).call('GET', '/Users')).status).toBe(200);
    const listed = await journey.cli('scim', 'tokens', '--json');
    expect(JSON.parse(listed.out)).toMatchObject({ client: 'made', over: false });
    expect(listed.out).not.toContain(out);
    const ready = await (await fetch(`${journey.admin()}/readyz`)).json();
    expect(ready).toMatchObject({
      checks: { 'scim:made': { ok: false, code: 'scim_token_expiring' }, 'scim:okta': { ok: true } },
    });
  });

  it('two tokens of a client hold, a third is refused, and one that is revoked is out within a second', async () => {
    const second = (await journey.cli('scim', 'token', '--client', 'made')).out;
    expect(await journey.cli('scim', 'token', '--client', 'made')).toMatchObject({
      code: 1,
      err: expect.stringContaining('scim_tokens_full'),
    });
    const caller = scimClient(journey.url, second);
    expect((await caller.call('GET', '/Users')).status).toBe(200);
    const ids = (await journey.cli('scim', 'tokens', '--json')).out.split('\n').map((line) => JSON.parse(line));
    expect((await journey.cli('scim', 'revoke', ids.at(-1).id)).code).toBe(0);
    await until('the end of the token', async () => (await caller.call('GET', '/Users')).status === 401 || undefined);
  });

  it.each(['', 'undefined', 'null', 'Bearer', 'Bearer ', 'Basic b2t0YTpva3Rh', `Bearer ${SCIM_TOKEN}x`, SCIM_TOKEN])(
    'is whoever sends Authorization: %s',
    async (authorization) => {
      expect((await scim.call('GET', '/Users', undefined, { authorization })).status).toBe(401);
    },
  );

  it('no address answers, whatever its spelling and method', async () => {
    const spellings = (path: string): string[] => [
      path,
      `${path}/`,
      `/scim/v2/.${path.slice('/scim/v2'.length)}`,
      `/scim/v2/x/..${path.slice('/scim/v2'.length)}`,
      path.replace('/v2', '/%762'),
      path.replace('scim', '%73cim'),
      `http://${new URL(journey.url).host}${path}`,
    ];
    const below = [
      '',
      '/Users',
      '/Users/x',
      '/Users/.search',
      '/Groups',
      '/Groups/x',
      '/Groups/.search',
      '/.search',
    ].concat([
      '/Bulk',
      '/Me',
      '/ServiceProviderConfig',
      '/ResourceTypes',
      '/ResourceTypes/User',
      '/Schemas',
      '/nothing',
    ]);
    const paths = [...below.flatMap((path) => spellings(`/scim/v2${path}`)), '/.well-known/scim-configuration'];
    const wrong: string[] = [];
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']) {
        const status = await raw(`${method} ${path} HTTP/1.1\r\nContent-Length: 0\r\n`);
        // So many from one address are too many.
        if (status !== 401 && status !== 429) wrong.push(`${method} ${path}: ${status}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('a spelling that two servers could read differently is refused before anybody looks', async () => {
    for (const path of [
      '/scim/v2//Users',
      '/scim/v2/Users;x',
      '/scim/v2/%2555sers',
      '/scim%2fv2/Users',
      '/scim/v2/%00',
    ]) {
      expect([path, await raw(`GET ${path} HTTP/1.1\r\n`)]).toEqual([path, 400]);
    }
  });

  function raw(head: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const { host, port, hostname } = new URL(journey.url);
      const socket = connect(Number(port), hostname, () =>
        socket.write(`${head}Host: ${host}\r\nConnection: close\r\n\r\n`),
      );
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('end', () => resolve(Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1])));
      socket.on('error', reject);
    });
  }
});

describe('a client', () => {
  it('sees nothing of another, and takes nothing of it', async () => {
    const { id } = (await scim.call('POST', '/Users', scimUser('ann'))).body;
    const other = scimClient(journey.url, OTHER_TOKEN);
    expect((await other.call('GET', '/Users')).body.totalResults).toBe(0);
    for (const [method, body] of [
      ['GET'],
      ['DELETE'],
      ['PUT', scimUser('ann')],
      ['PATCH', patchOf({ op: 'replace', value: { active: false } })],
    ] as const) {
      expect([method, (await other.call(method, `/Users/${id}`, body)).status]).toEqual([method, 404]);
    }
    const group = await other.call('POST', '/Groups', { displayName: 'mine', members: [{ value: id }] });
    expect(group).toMatchObject({ status: 400, body: { scimType: 'invalidValue' } });
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual([]);
  });

  it('makes an account of its own, whatever externalId it says', async () => {
    const other = scimClient(journey.url, OTHER_TOKEN);
    const before = gooddataPeople(journey.gooddata.state);
    for (const externalId of ['1', 'admin', 'ann']) {
      const { status } = await other.call('POST', '/Users', { ...scimUser(`own-${externalId}`), externalId });
      expect(status).toBe(201);
    }
    expect(gooddataPeople(journey.gooddata.state)).toHaveLength(before.length + 3);
    expect(gooddataUser(journey.gooddata.state, 'ann')).toMatchObject({ firstname: 'Ann' });
  });

  it('is refused from an address that is not in allow_from', async () => {
    const elsewhere = scimClient(journey.url, 'elsewhere-token-that-only-tests-know-0123');
    expect((await elsewhere.call('GET', '/Users')).status).toBe(403);
  });

  it('is slowed down when it asks too much', async () => {
    const slow = scimClient(journey.url, 'slow-token-that-only-tests-know-0123456789');
    const answers = await Promise.all(Array.from({ length: 100 }, () => slow.call('GET', '/Schemas')));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await scim.call('GET', '/Users')).status).toBe(200);
  });

  it('sends no more than max_body at once', async () => {
    const { status, body } = await scim.call('POST', '/Users', { ...scimUser('large'), title: 'x'.repeat(70_000) });
    expect({ status, body }).toMatchObject({ status: 413, body: { status: '413' } });
  });

  it('with target_down: refuse is told to try again, and what it pushed is kept', async () => {
    const other = scimClient(journey.url, OTHER_TOKEN);
    journey.gooddata.faults.set({ status: 503 });
    const { status, headers } = await other.call('POST', '/Users', scimUser('later'));
    expect([status, Number(headers.get('retry-after')) > 0]).toEqual([503, true]);
    journey.gooddata.faults.clear();
    const kept = await other.call('GET', `/Users?filter=${encodeURIComponent('userName eq "later@acme.test"')}`);
    expect(kept.body.totalResults).toBe(1);
    const ids = () => [...journey.gooddata.state.users.values()].map(({ attributes }) => attributes['email']);
    await until('the account', () => ids().includes('later@acme.test') || undefined, 30_000);
  });

  it('is shown in the audit with what was not taken, and its tokens are in no log', async () => {
    const { id } = (
      await scim.call('POST', '/Users', { ...scimUser('curious'), groups: [{ value: 'admins' }], id: 'x' })
    ).body;
    const { out } = await journey.cli('audit', 'list', '--json');
    const entries = out.split('\n').map((line) => JSON.parse(line));
    expect(entries.find(({ event, key }) => event === 'scim.user.created' && key === id)).toMatchObject({
      actor: 'scim:okta',
      dropped: expect.arrayContaining([expect.stringContaining('groups (readOnly')]),
    });
    expect(journey.log.filter((line) => line.includes(SCIM_TOKEN) || line.includes(OTHER_TOKEN))).toEqual([]);
  });

  it('is never anybody: /Me is not there', async () => {
    expect((await scim.call('GET', '/Me')).status).toBe(501);
  });

  it('is answered a HEAD as a GET without its body', async () => {
    const { id } = (await scim.call('POST', '/Users', scimUser('head'))).body;
    for (const path of [`/Users/${id}`, '/Groups', '/Schemas']) {
      const [get, head] = [await scim.call('GET', path), await scim.call('HEAD', path)];
      expect([path, head.status, head.body]).toEqual([path, 200, undefined]);
      for (const name of ['etag', 'location', 'content-length', 'content-type']) {
        expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)]);
      }
    }
    expect((await scim.call('HEAD', '/Users/nobody')).status).toBe(404);
    expect((await scim.call('HEAD', '/Bulk')).status).toBe(405);
  });

  it('finds the API by the well-known address', async () => {
    const answer = await fetch(`${journey.url}/.well-known/scim-configuration`, {
      headers: { authorization: `Bearer ${SCIM_TOKEN}` },
    });
    expect(await answer.json()).toMatchObject({ patch: { supported: true } });
  });

  it('does several things in one request, and refers from one to another', async () => {
    const { status, body } = await scim.call('POST', '/Bulk', {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
      failOnErrors: 1,
      Operations: [
        {
          method: 'POST',
          path: '/Groups',
          bulkId: 'g',
          data: { displayName: 'bulk', members: [{ value: 'bulkId:u' }] },
        },
        { method: 'POST', path: '/Users', bulkId: 'u', data: scimUser('bulky') },
        { method: 'DELETE', path: '/Users/nobody' },
        { method: 'POST', path: '/Users', bulkId: 'v', data: scimUser('never') },
      ],
    });
    expect(status).toBe(200);
    expect(body.Operations.map((one: { status: string }) => one.status)).toEqual(['201', '201', '404']);
    expect(gooddataUser(journey.gooddata.state, 'bulky')?.groups).toEqual(['bulk']);
    expect(gooddataUser(journey.gooddata.state, 'never')).toBeUndefined();
    const locations = body.Operations.map(({ location }: { location?: string }) => location);
    const at = `${journey.url}/scim/v2`;
    expect(locations).toEqual([
      expect.stringMatching(`^${at}/Groups/`),
      expect.stringMatching(`^${at}/Users/`),
      `${at}/Users/nobody`,
    ]);
    expect((await fetch(locations[1], { headers: { authorization: `Bearer ${SCIM_TOKEN}` } })).status).toBe(200);
    const gone = await scim.call('POST', '/Bulk', {
      schemas: ['URN:IETF:params:scim:api:messages:2.0:BulkRequest'],
      Operations: [
        { method: 'DELETE', path: locations[1].slice(at.length) },
        { method: 'POST', path: '/Users', bulkId: 'v', data: { userName: '' } },
      ],
    });
    expect(gone.body.Operations).toEqual([
      { method: 'DELETE', location: locations[1], status: '204' },
      { method: 'POST', bulkId: 'v', status: '400', response: expect.objectContaining({ scimType: 'invalidValue' }) },
    ]);
  });
});
