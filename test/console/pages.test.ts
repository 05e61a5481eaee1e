import { CONSOLE_ROUTES } from '../../src/console/console.ts';
import { openDatabase } from '../../src/directory/database.ts';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { gooddataUser } from '../journey/company.ts';
import { until } from '../journey/harness.ts';
import { type ConsoleStage, HOSTILE_GROUP, reasonOn, Seat, startConsoleStage, tokenOn } from './stage.ts';

let stage: ConsoleStage;
let olga: Seat;
let vera: Seat;
const ids: Record<string, string> = {};

const lines = (out: string) => out.split('\n').map((line) => JSON.parse(line));
const audited = async (event: string) =>
  lines((await stage.journey.cli('audit', 'list', '--json')).out).filter((record) => record.event === event);
const sessionsOf = async (person: string | undefined) =>
  lines((await stage.journey.cli('sessions', 'list', '--json')).out).filter((session) => session.person === person);

beforeAll(async () => {
  stage = await startConsoleStage();
  await Promise.all(['ann', 'eve'].map((sub) => stage.journey.logIn(sub)));
  olga = await Seat.of(stage, 'olga');
  vera = await Seat.of(stage, 'vera');
  for (const { id, email } of lines((await stage.journey.cli('users', 'list', '--json')).out)) {
    ids[String(email).split('@')[0] ?? ''] = id;
  }
});
afterAll(() => stage.close());

/** As another instance writes it. */
async function inState(work: (directory: Directory) => Promise<void>): Promise<void> {
  const database = await openDatabase(`sqlite:${stage.journey.folder}/latchgate.db`);
  await work(createDirectory(database, systemClock));
  await database.close();
}

/** A path of the page with something real in its places. */
const filled = (path: string) => path.replace(':id', ids['ann'] ?? '').replace(':name', 'hr-to-gooddata');

describe('every address', () => {
  it.each(CONSOLE_ROUTES)('$method $path: nothing without a session', async ({ method, path }) => {
    const stranger = stage.journey.browser();
    const answer = await stranger.visit(`${stage.admin}${filled(path)}`, {
      method,
      follow: false,
      ...(method === 'POST' ? { form: { token: 'x' }, headers: { origin: stage.admin } } : {}),
    });
    if (method === 'POST') expect([answer.status, reasonOn(answer)]).toEqual([401, 'login_required']);
    else expect([answer.status, answer.headers['location']]).toEqual([302, expect.stringMatching(/^\/login\?rd=/)]);
  });

  it.each(CONSOLE_ROUTES.filter(({ method }) => method === 'GET'))(
    'GET $path: framed by nobody, kept by nobody, and runs nothing',
    async ({ path }) => {
      const { headers, text } = await olga.visit(filled(path));
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringMatching(
          /^default-src 'none'; style-src 'nonce-[\w-]{22}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
        ),
      });
      expect(text).not.toMatch(/<script|javascript:|<[^>]* (?:style|on\w+)=/i);
      expect(text.match(/<h1>/g)).toHaveLength(1);
      expect(text).toContain(String(headers['x-request-id']));
    },
  );

  it.each(CONSOLE_ROUTES.filter(({ method }) => method === 'POST'))(
    'POST $path: not from elsewhere, and not without the token of this session',
    async ({ path }) => {
      const token = tokenOn(await olga.visit('/'));
      const own = { origin: stage.admin, 'sec-fetch-site': 'same-origin' };
      const forged: [string, Record<string, string>, Record<string, string>][] = [
        ['origin_not_allowed', { token }, { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }],
        ['origin_not_allowed', { token }, { origin: stage.journey.url, 'sec-fetch-site': 'same-site' }],
        ['origin_not_allowed', { token }, { origin: 'null' }],
        ['origin_not_allowed', { token }, {}],
        ['origin_not_allowed', { token }, { 'sec-fetch-site': 'none' }],
        ['origin_not_allowed', { token }, { origin: stage.admin, 'sec-fetch-site': 'cross-site' }],
        ['operator_form_stale', {}, own],
        ['operator_form_stale', { token: `${token}x` }, own],
        ['operator_form_stale', { token: tokenOn(await vera.visit('/')) }, own],
      ];
      for (const [code, form, headers] of forged) {
        const answer = await olga.send(filled(path), form, headers);
        expect([answer.status, reasonOn(answer)]).toEqual([403, code]);
      }
    },
  );

  it.each(CONSOLE_ROUTES.filter(({ acts }) => acts))('POST $path: nothing for a viewer', async ({ path }) => {
    const token = tokenOn(await vera.visit('/'));
    const answer = await vera.send(filled(path), { token });
    expect([answer.status, reasonOn(answer)]).toEqual([403, 'operator_viewer']);
  });

  it('what is not a page is not there, and says so to operators alone', async () => {
    expect((await olga.visit('/nothing')).status).toBe(404);
    expect((await olga.visit('/people/p_nobody')).status).toBe(404);
    expect((await olga.visit('/people/%')).status).toBe(400);
    const answer = await stage.journey.browser().visit(`${stage.admin}/nothing`, { follow: false });
    expect(answer.status).toBe(302);
  });
});

it('shows a viewer every page and not one button that acts', async () => {
  for (const { method, path } of CONSOLE_ROUTES) {
    if (method === 'POST') continue;
    const { text } = await vera.visit(filled(path));
    const forms = [...text.matchAll(/<form method="post" action="([^"]*)"/g)].map(([, action]) => action);
    expect(forms.filter((action) => !['/logout', '/try', '/drift'].includes(action ?? ''))).toEqual([]);
    expect(text).not.toContain('<summary class=');
  }
});

it('finds people, and shows what they have and why', async () => {
  const { text } = await olga.visit('/people?q=ann%40acme.test');
  expect(text).toContain(`/people/${ids['ann']}`);
  expect(text).not.toContain(`/people/${ids['eve']}`);
  const person = (await olga.visit(`/people/${ids['ann']}`)).text;
  for (const part of ['ann@acme.test', 'group:team-a', 'group:team-b', 'same-name', 'acme', stage.journey.idp.issuer]) {
    expect(person).toContain(part);
  }
  // Claims are shown nowhere.
  expect(person).not.toContain('Adams');
});

it('shows what was decided by hand, and what settles whose account it is', async () => {
  await inState(async ({ pins, decisions }) => {
    const pin = { person: ids['ann'] ?? '', target: 'gooddata', kind: 'group', name: 'team-q' } as const;
    await pins.set({ ...pin, effect: 'withheld', by: 'review rv_1', reason: '<b>left the team', at: new Date() });
    const detail = { owner: ids['eve'] ?? '' };
    const refused = { outcome: 'deny', code: 'account_taken', person: ids['ann'] ?? '', detail } as const;
    await decisions.save({ requestId: 'zzzzzzzzzzzzzzzz', at: new Date(), ...refused });
  });
  const person = (await vera.visit(`/people/${ids['ann']}`)).text;
  for (const part of ['Decided by hand', 'group:team-q', 'withheld', 'review rv_1', '&lt;b&gt;left the team']) {
    expect(person).toContain(part);
  }
  const why = (await vera.visit('/why?id=zzzzzzzzzzzzzzzz')).text;
  expect(why).toContain(`latchgate users link ${ids['eve']} ${ids['ann']}`);
  expect(why).toContain(`/people/${ids['eve']}`);
});

it('lifts what was decided by hand, under the name of who did it', async () => {
  const path = `/people/${ids['ann']}`;
  const fields = { target: 'gooddata', key: 'group:team-q' };
  expect((await olga.visit(path)).text).toContain(`action="${path}/lift-pin"`);
  expect(reasonOn(await olga.post(`${path}/lift-pin`, { ...fields, target: 'superset' }))).toBe('not_found');
  expect((await olga.post(`${path}/lift-pin`, fields)).text).toContain('Lifted: the rules decide about it again');
  expect(await audited('pin.lifted')).toMatchObject([{ actor: ids['olga'], person: ids['ann'], ...fields }]);
  expect(reasonOn(await olga.post(`${path}/lift-pin`, fields))).toBe('not_found');
});

describe('drift', () => {
  const keysOn = (text: string) => [...text.matchAll(/<code>(d_[0-9a-f]{10})<\/code>/g)].map(([, key]) => key ?? '');
  const groups = () => gooddataUser(stage.journey.gooddata.state, 'ann')?.groups ?? [];
  const byHand = (id: string) =>
    stage.journey.gooddata.state.users.get('ann')?.relationships['userGroups']?.push({ id, type: 'userGroup' });

  it('reads no target before somebody asks for it', async () => {
    byHand('adminGroup');
    const asked = () => stage.journey.gooddata.requests.filter(({ path }) => path !== '/api/v1/profile').length;
    const before = asked();
    expect(keysOn((await olga.visit('/drift')).text)).toEqual([]);
    expect(asked()).toBe(before);
  });

  it('shows a viewer what differs and no button for it', async () => {
    const { text } = await vera.post('/drift');
    expect(keysOn(text)).not.toEqual([]);
    expect(text).toContain('adminGroup');
    expect((await vera.visit('/')).text).toContain(
      '<a href="/drift">1 difference</a> in gooddata, when it was compared at ',
    );
    expect(text).not.toContain('/drift/repair');
    expect(text).not.toContain('/drift/adopt');
  });

  it('repairs one, and adopts one, under the name of who did it', async () => {
    const [key = ''] = keysOn((await olga.post('/drift')).text);
    const fields = { target: 'gooddata', key };
    expect(groups()).toContain('adminGroup');
    expect((await olga.post('/drift/repair', fields)).text).toContain('Repaired: the target is as it is to be');
    expect(groups()).not.toContain('adminGroup');
    expect(await audited('drift.repaired')).toMatchObject([{ actor: ids['olga'], person: ids['ann'], ...fields }]);
    expect((await olga.post('/drift/repair', fields)).text).toContain('not there any more');
    expect(reasonOn(await olga.post('/drift/repair', { ...fields, target: 'nowhere' }))).toBe('not_found');

    byHand(HOSTILE_GROUP);
    const { text } = await olga.post('/drift');
    expect(text).toContain('&lt;script&gt;');
    expect(text).not.toMatch(/<script|<img|\u202e/);
    const [other = ''] = keysOn(text);
    expect((await olga.post('/drift/adopt', { target: 'gooddata', key: other })).text).toContain('Adopted as it is');
    expect(groups()).toContain(HOSTILE_GROUP);
    expect(await audited('drift.adopted')).toMatchObject([{ actor: ids['olga'], key: other }]);
    expect(keysOn((await olga.post('/drift')).text)).not.toContain(other);
    expect((await olga.visit('/')).text).not.toContain('difference');
  });

  it('says of a target that cannot be read that it cannot', async () => {
    stage.journey.gooddata.faults.set({ status: 401 });
    const { status, text } = await olga.post('/drift');
    stage.journey.gooddata.faults.clear();
    expect([status, /could not be compared.*<code>target_/.test(text)]).toEqual([200, true]);
  });
});

it('goes through everybody page by page', async () => {
  await inState(async ({ people }) => {
    for (let at = 0; at < 60; at += 1)
      await people.ensure({ issuer: 'x', subject: `more-${at}` }, 'acme', `More ${at}`);
  });
  const seen: string[] = [];
  for (let address: string | undefined = '/people'; address !== undefined; ) {
    const { text } = await olga.visit(address);
    seen.push(...[...text.matchAll(/href="\/people\/(p_\w+)"/g)].map(([, id]) => id ?? ''));
    address = /href="([^"]*)">Next page/.exec(text)?.[1];
  }
  expect(seen).toHaveLength(new Set(seen).size);
  expect(seen.length).toBeGreaterThanOrEqual(64);
});

it('shows hostile names, groups and claims as text, wherever they stand', async () => {
  const pages = await Promise.all(
    [
      '/people',
      `/people/${ids['eve']}`,
      '/sessions',
      '/audit',
      `/audit?event=${encodeURIComponent(HOSTILE_GROUP)}&person=%22%3E%3Cb%3E&request=%3Cb%3E`,
      '/people?q=%3Cb%3E%22',
      '/why?id=%3Cb%3E%22',
      '/try?origin=%3Cb%3E',
    ].map((path) => olga.visit(path)),
  );
  const tried = await olga.post('/try', {
    origin: 'acme',
    claims: JSON.stringify({
      sub: 'x',
      email: 'x@acme.test',
      name: HOSTILE_GROUP,
      'urn.gooddata.user_groups': [HOSTILE_GROUP],
    }),
  });
  for (const { text } of [...pages, tried]) {
    expect(text).not.toMatch(/<script|<img|<b>|\u202e/);
  }
  expect(pages[1]?.text).toContain('&lt;img src=x onerror=');
  expect(tried.text).toContain('&lt;script&gt;');
});

it('ends one session, and all of a person', async () => {
  const browser = stage.journey.browser();
  await browser.logIn(stage.journey.url, 'ann');
  const [first] = await sessionsOf(ids['ann']);
  const one = await olga.post('/sessions/end', {
    handle: first.id,
    person: ids['ann'] ?? '',
    next: `/people/${ids['ann']}`,
  });
  expect(one.url.pathname).toBe(`/people/${ids['ann']}`);
  expect(one.text).toContain('The session has ended');
  expect((await sessionsOf(ids['ann'])).map(({ id }) => id)).not.toContain(first.id);
  const [other] = await sessionsOf(ids['ann']);
  for (const [handle, person] of [
    [first.id, ids['ann']],
    [other.id, ids['eve']],
    [other.id, ''],
  ]) {
    expect(reasonOn(await olga.post('/sessions/end', { handle, person: person ?? '' }))).toBe('not_found');
  }
  expect(reasonOn(await olga.post('/sessions/end', { handle: "' or 1=1 --" }))).toBe('not_found');
  await olga.post(`/people/${ids['ann']}/end-sessions`);
  expect(await sessionsOf(ids['ann'])).toEqual([]);
  const records = await audited('sessions.ended');
  expect(records).toHaveLength(2);
  for (const record of records) {
    expect(record).toMatchObject({
      actor: ids['olga'],
      person: ids['ann'],
      requestId: expect.stringMatching(/^\w{16}$/),
    });
  }
});

it('disables and enables, under the name of who did it and the request id that the page shows', async () => {
  const done = await olga.post(`/people/${ids['eve']}/disable`);
  const shown = /request <code>(\w{16})<\/code>/.exec(done.text)?.[1];
  expect(done.text).toContain('Disabled: no new login');
  const [record] = await audited('person.disabled');
  expect(record).toMatchObject({ actor: ids['olga'], person: ids['eve'], requestId: shown });
  expect(await sessionsOf(ids['eve'])).toEqual([]);
  expect(gooddataUser(stage.journey.gooddata.state, 'eve')?.groups).toEqual([]);
  await olga.post(`/people/${ids['eve']}/enable`);
  expect(await audited('person.enabled')).toMatchObject([{ actor: ids['olga'], person: ids['eve'] }]);
});

it('says nothing that an address has made up', async () => {
  const { text } = await olga.visit('/people?done=%3Cb%3Eapproved&request=0000000000000000');
  expect(text).not.toContain('class="note');
  expect((await olga.visit('/people?done=approved&request=%3Cb%3E')).text).not.toContain('class="note');
});

it('shows a held plan, rejects it, and applies another one that is approved', async () => {
  const everybody = ['amy', 'ben', 'cat', 'dan', 'eli', 'fay'];
  const all = (groups: readonly string[]) => Object.fromEntries(everybody.map((name) => [name, groups]));
  stage.list(all(['team-a']));
  expect((await stage.journey.cli('apply', 'hr-to-gooddata')).code).toBe(0);
  stage.list({ amy: ['team-a'], ben: ['team-a'], cat: ['team-a'] });
  expect((await stage.journey.cli('apply', 'hr-to-gooddata')).code).toBe(11);
  const [held] = lines((await stage.journey.cli('plans', 'list', '--json')).out);
  const overview = (await olga.visit('/')).text;
  expect(overview).toContain(`/plans/${held.id}`);
  const read = (await vera.visit(`/plans/${held.id}`)).text;
  expect(read).toMatch(/^ .*dan@acme\.test/m);
  expect(read).not.toContain('\ufffd');
  await olga.post(`/plans/${held.id}/reject`);
  expect(await audited('plan.rejected')).toMatchObject([{ actor: ids['olga'], after: { plan: held.id } }]);
  expect(reasonOn(await olga.post(`/plans/${held.id}/approve`))).toBe('plan_decided');

  stage.list({ amy: ['team-a'], ben: ['team-a'] });
  expect((await stage.journey.cli('apply', 'hr-to-gooddata')).code).toBe(11);
  const [second] = lines((await stage.journey.cli('plans', 'list', '--json')).out);
  const page = await olga.post(`/plans/${second.id}/approve`);
  expect(page.text).toContain('Approved. It is being applied now');
  await until('the plan is applied', async () => {
    const [newest] = lines((await stage.journey.cli('plans', 'list', '--json')).out);
    return newest.state === 'applied' || undefined;
  });
  const applied = (await olga.visit(`/plans/${second.id}`)).text;
  expect(applied).toContain('>applied<');
  expect(applied).toContain(`/people/${ids['olga']}`);
  expect((await olga.visit('/syncs/hr-to-gooddata')).text).toContain(`/plans/${second.id}`);
  expect((await olga.visit('/syncs')).text).toContain('hr-to-gooddata');
});

it('searches the audit by person, event, time and request, and shows the trace behind a request', async () => {
  const count = async (query: Record<string, string>) =>
    [
      ...(await olga.visit(`/audit?${new URLSearchParams(query)}`)).text.matchAll(
        /<tr role="row"><th role="rowheader"/g,
      ),
    ].length;
  const [record] = await audited('login.allowed');
  expect(await count({ request: record.requestId, event: 'login.allowed' })).toBe(1);
  expect(await count({ event: 'person.disabled' })).toBe(1);
  expect(await count({ event: 'erson.disabled' })).toBe(0);
  expect(await count({ event: 'person.', person: 'ann@acme.test' })).toBe(0);
  expect(await count({ event: 'person.', person: ids['eve'] ?? '' })).toBe(2);
  expect(await count({ event: 'person.', person: ids['eve'] ?? '', since: '2100-01-01T00:00' })).toBe(0);
  expect(await count({ event: 'person.', person: ids['eve'] ?? '', until: '2100-01-01T00:00:00' })).toBe(2);
  expect(await count({ event: '%' })).toBe(0);
  const why = (await olga.visit(`/why?id=${record.requestId}`)).text;
  for (const part of ['allow', 'same-name', 'Groups from acme', record.requestId]) expect(why).toContain(part);
  expect((await olga.visit('/why?id=0000000000000000')).status).toBe(404);
});

it('tries claims out: says what they would give, writes nothing, and keeps and logs nothing of them', async () => {
  const secret = 'a-claim-of-nobody';
  // The front page asks whether the targets are there.
  const asked = () => stage.journey.gooddata.requests.filter(({ path }) => path !== '/api/v1/profile').length;
  const before = asked();
  const people = (await stage.journey.cli('users', 'list', '--json')).out;
  const claims = { sub: secret, email: `${secret}@acme.test`, 'urn.gooddata.user_groups': ['team-z', secret] };
  const tried = await vera.post('/try', { origin: 'acme', claims: JSON.stringify(claims, null, '\t') });
  expect(tried.status).toBe(200);
  // As it was pasted, line by line, to be changed and tried again.
  expect(tried.text).toContain(`>{\n  &quot;sub&quot;: &quot;${secret}&quot;,\n`);
  for (const part of ['Gets in', 'group:team-z', 'Account in gooddata', 'same-name'])
    expect(tried.text).toContain(part);
  expect((await vera.post('/try', { origin: 'acme', claims: '[]' })).status).toBe(400);
  expect((await vera.post('/try', { origin: 'acme', claims: '{"a":' })).status).toBe(400);
  expect((await vera.post('/try', { origin: 'nobody', claims: '{}' })).status).toBe(400);
  const without = await vera.post('/try', { origin: 'acme', claims: '{"sub":"x"}' });
  expect([without.status, without.text.includes('email_missing')]).toEqual([200, true]);
  expect(asked()).toBe(before);
  expect((await stage.journey.cli('users', 'list', '--json')).out).toBe(people);
  expect(stage.journey.log.join('\n')).not.toContain(secret);
  expect((await stage.journey.cli('audit', 'list', '--json')).out).not.toContain(secret);
});

it('takes no form that is too long, and none that is no form', async () => {
  const token = tokenOn(await olga.visit('/'));
  const long = await olga.send('/try', { token, claims: 'x'.repeat(300_000) }).catch(() => undefined);
  expect(long === undefined || long.status === 400).toBe(true);
  expect((await olga.visit('/')).status).toBe(200);
});

it('counts logins and changes in charts, and says so in words', async () => {
  const { text } = await vera.visit('/activity?span=fortnight');
  const label = /aria-label="Logins: (\d+) let in, (\d+) refused\."/.exec(text);
  expect(Number(label?.[1])).toBe((await audited('login.allowed')).length);
  expect(text).toContain('the last 14 days');
});

it('says on its front page which target fails and who waits for it', async () => {
  stage.journey.gooddata.faults.set({ status: 500 });
  const { text } = await until('the failing target', async () => {
    const page = await olga.visit('/');
    return page.text.includes('target:gooddata') ? page : undefined;
  });
  expect(text).toContain('target_unavailable');
  stage.journey.gooddata.faults.clear();
});
