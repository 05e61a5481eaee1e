import { createHttpClient } from '../../../src/ops/http.ts';
import { createSupersetSession } from '../../../src/targets/superset/sign-in.ts';
import { keysOf } from '../../conformance/target-subject.ts';
import { send, whoAmI } from '../../integrations/superset-client.ts';
import { ALPHA, change, creation, GAMMA, group } from './people.ts';
import { type RealSuperset, startReal } from './real.ts';
import { AUDIENCE, ISSUER } from './subject.ts';

const patience = () => AbortSignal.timeout(120_000);

describe('by assertion', () => {
  let real: RealSuperset;
  beforeAll(async () => {
    real = await startReal('assertion');
  });
  afterAll(() => real?.close());

  const assertionOf = (userName: string) => real.signer.sign({ iss: ISSUER, aud: AUDIENCE, sub: userName }, 60);
  const named = async (userName: string) =>
    (await real.target.read({ kind: 'person', lookup: { userNames: [userName] } }, patience())).accounts;

  it('ends with one account and no error when fifty make it at once, over five instances', async () => {
    const instances = Array.from({ length: 5 }, () => real.another());
    const add = [ALPHA, group('New'), group('Other')];
    const set = creation({ userName: 'fifty', email: 'fifty@example.com', add, create: add.slice(1) });
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (instances[n % 5] ?? real.target).apply(set, patience())),
    );
    expect(all.filter(({ outcome }) => outcome === 'applied')).toHaveLength(1);
    expect(new Set(all.map(({ account }) => account.id)).size).toBe(1);
    for (const { account } of all) expect(keysOf(account)).toEqual(['group:New', 'group:Other', 'role:Alpha']);
    expect(await named('fifty')).toHaveLength(1);
  }, 240_000);

  it('finds everybody, however many are looked for at once', async () => {
    const people = Array.from({ length: 12 }, (_, n) => `crowd-${n}`);
    for (const userName of people) {
      await real.target.apply(creation({ userName, email: `${userName}@example.com` }), patience());
    }
    for (let round = 0; round < 5; round += 1) {
      const found = await Promise.all(people.map(named));
      expect(found.map((accounts) => accounts.map(({ userName }) => userName))).toEqual(people.map((name) => [name]));
    }
  }, 120_000);

  it.each(["o'brien", 'a!b', '*', '%%%%', '____', "x' or '1'=='1", '!t', 'a,b)', '12345', 'ünï 日本', '\\'])(
    'gives %s an account that can sign in',
    async (userName) => {
      const email = `${Buffer.from(userName).toString('hex')}@example.com`;
      const { account } = await real.target.apply(creation({ userName, email }), patience());
      expect(await named(userName)).toEqual([account]);
      expect(await whoAmI(real.superset.url, { assertion: await assertionOf(userName) })).toBe(userName);
    },
    60_000,
  );

  it('finds both of two names that differ only in case, and both spellings of an e-mail', async () => {
    for (const [userName, email] of [
      ['u1', 'Case.One@example.com'],
      ['U1', 'case.one@example.com'],
    ] as const) {
      await real.admin('POST', 'users/', {
        username: userName,
        first_name: 'A',
        last_name: 'B',
        email,
        password: 'x',
        roles: [4],
      });
    }
    const byName = (await named('u1')).map(({ userName }) => userName);
    const lookup = { userNames: [], email: 'CASE.one@example.com' };
    const byEmail = (await real.target.read({ kind: 'person', lookup }, patience())).accounts;
    expect(byName.sort()).toEqual(['U1', 'u1']);
    expect(byEmail.map(({ userName }) => userName).sort()).toEqual(['U1', 'u1']);
  }, 60_000);

  it('switches off an account that owns something, instead of deleting it', async () => {
    const set = creation({ userName: 'owner', email: 'owner@example.com', add: [ALPHA, GAMMA] });
    const { account } = await real.target.apply(set, patience());
    const { url } = real.superset;
    const signed = { assertion: await assertionOf('owner') };
    const token = await send(url, '/api/v1/security/csrf_token/', signed);
    const headers = { 'X-CSRFToken': (JSON.parse(token.text) as { result: string }).result };
    const json = { dashboard_title: 'Mine' };
    const made = await send(url, '/api/v1/dashboard/', {
      ...signed,
      method: 'POST',
      json,
      headers,
      cookies: token.cookies,
    });
    expect(made.status).toBe(201);

    const { outcome, account: left } = await real.target.apply(change(account, { remove: true }), patience());
    expect(outcome).toBe('applied');
    expect(left.active).toBe(false);
    expect((await named('owner')).map(({ active }) => active)).toEqual([false]);
    expect(await whoAmI(url, signed)).toBe(401);
  }, 60_000);

  it('knows what the service account may do', async () => {
    expect(await real.target.probe(patience())).toEqual({ account: 'latchgate' });
  });
});

describe('by header', () => {
  let real: RealSuperset;
  const http = createHttpClient();
  beforeAll(async () => {
    real = await startReal('header');
  });
  afterAll(async () => {
    await http.close();
    await real?.close();
  });

  const session = () =>
    createSupersetSession({
      config: { url: real.superset.url, timeout: 60_000, sign_in_header: 'X-Forwarded-User' },
      http,
    });

  it.each(['alice', 'josé', "o'brien, jr"])(
    'opens a session of %s, with a role that may do nothing',
    async (userName) => {
      const add = [{ kind: 'role', name: 'Public' }] as const;
      const email = `${Buffer.from(userName).toString('hex')}@example.com`;
      const { account } = await real.target.apply(creation({ userName, email, add }), patience());
      const cookies = await session().open(account, patience());
      expect(cookies).toEqual([expect.stringMatching(/^session=/)]);
      await real.target.apply(change(account, { add: [ALPHA] }), patience());
      expect(await whoAmI(real.superset.url, { cookies })).toBe(userName);
    },
  );

  it('opens none for who has no account or an inactive one, and sees when one is over', async () => {
    await expect(session().open({ id: '999', userName: 'nobody' }, patience())).rejects.toMatchObject({
      code: 'target_refused',
    });
    const { account } = await real.target.apply(creation({ userName: 'off', email: 'off@example.com' }), patience());
    const { open, expired } = session();
    const cookies = await open(account, patience());
    await real.target.apply(change(account, { active: false }), patience());
    const api = await send(real.superset.url, '/api/v1/me/', { cookies });
    const page = await send(real.superset.url, '/superset/welcome/', { cookies });
    expect(expired(api.status, api.headers.location)).toBe(true);
    expect(expired(page.status, page.headers.location)).toBe(true);
    await expect(open(account, patience())).rejects.toMatchObject({ code: 'target_refused' });
  });
});
