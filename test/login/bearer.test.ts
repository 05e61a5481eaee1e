import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { EndedLogins } from '../../src/login/backchannel-ended.ts';
import { BearerLogins, type BearerOptions, type BearerToken } from '../../src/login/bearer.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { Assertion } from '../../src/model/person.ts';
import type { Provisioned } from '../../src/provisioning/provision.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import { isSessionId } from '../../src/session/seal.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { startTokenIssuer, type TokenIssuer } from '../emulators/token-issuer.ts';
import { type Harness, harnessFor, refusal, silentLog } from './oidc-harness.ts';

const AT = { target: 'superset', requestId: 'r-1' };
const HOUR = 3_600_000;

const START = Date.now();
const clock = { ahead: 0, now: () => START + clock.ahead };

let issuer: TokenIssuer;
let harness: Harness;
let database: Database;
let directory: Directory;
let store: SessionStore;
let asserted: { readonly assertion: Assertion; readonly target: string | undefined }[];
let outcomes: string[];
let provisioning: (assertion: Assertion) => Promise<void>;
const stores: SessionStore[] = [];

beforeEach(async () => {
  clock.ahead = 0;
  asserted = [];
  outcomes = [];
  provisioning = async () => {};
  issuer = await startTokenIssuer({ now: clock.now });
  harness = harnessFor(issuer.issuer, { bearer: { audience: ['latchgate-api'] } }, { clock });
  database = await openDatabase('sqlite::memory:');
  directory = createDirectory(database, clock);
  store = newStore();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((one) => one.close()));
  await database.close();
  await harness.http.close();
  await issuer.close();
});

function newStore(): SessionStore {
  const made = createEmbeddedSessions(database, { clock });
  stores.push(made);
  return made;
}

/** An instance of the gateway, with what one remembers by itself; people and sessions are those of the database. */
function instance(sessions: SessionStore = store, more: Partial<BearerOptions> = {}): BearerLogins {
  const { accessTokens } = harness.provider;
  if (accessTokens === undefined) throw new Error('no access tokens are taken');
  return new BearerLogins({
    logins: [accessTokens],
    store: sessions,
    leases: directory.leases,
    people: directory.people,
    endedLogins: endedLogins(sessions),
    provisioner: {
      assert: async (assertion, { target }) => {
        asserted.push({ assertion, target });
        await provisioning(assertion);
        const { issuer: iss, subject, origin, claims } = assertion;
        const { id } = await directory.people.ensure(assertion, origin, subject);
        await directory.people.saveAssertion(id, assertion, undefined);
        const identity = { issuer: iss, subject, person: id, origin, displayName: subject, emailVerified: false };
        const groups = Array.isArray(claims['groups']) ? (claims['groups'] as string[]) : [];
        return {
          identity: { ...identity, groups, attributes: {} },
          decision: { decision: 'allow' },
        } as unknown as Provisioned;
      },
    },
    absoluteMs: 12 * HOUR,
    onOutcome: (_login, code) => void outcomes.push(code),
    clock,
    log: silentLog,
    ...more,
  });
}

function endedLogins(sessions: SessionStore): EndedLogins {
  const { leases, logouts } = directory;
  return new EndedLogins({ sessions, leases, logouts, longestLifeMs: 12 * HOUR, clock });
}

function tokenOf(bearers: BearerLogins, text: string): BearerToken {
  const token = bearers.tokenIn(`Bearer ${text}`);
  if (token === undefined) throw new Error('not one of ours');
  return token;
}

async function use(bearers: BearerLogins, text: string) {
  const token = tokenOf(bearers, text);
  return bearers.peek(token) ?? (await bearers.session(token, AT));
}

const fate = (bearers: BearerLogins, text: string) => refusal(use(bearers, text));

describe('which tokens are ours', () => {
  it('those that say so, in any case of the scheme', () => {
    const bearers = instance();
    const text = issuer.token();
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer ']) {
      expect(bearers.tokenIn(`${scheme} ${text}`)).toMatchObject({ text });
    }
    expect(bearers.tokenIn(`Bearer ${issuer.token({ iss: `${issuer.issuer}/` })}`)).toBeDefined();
    expect(isSessionId(tokenOf(bearers, text).id)).toBe(true);
    expect(tokenOf(bearers, text).id).toBe(tokenOf(instance(), text).id);
    expect(tokenOf(bearers, issuer.token()).id).not.toBe(tokenOf(bearers, text).id);
  });

  it.each([
    'Basic YTpi',
    'Bearer',
    'Bearer opaque-token',
    'Bearer a.b',
    'Bearer a.b.c.d',
    'Bearer bm90.anNvbg.YXQ',
    'Bearer e30.e30.e30',
    'Bearer e30.W10.e30',
    'Bearer e30.bnVsbA.e30',
    'Bearer e30.eyJpc3MiOjF9.e30',
    'DPoP e30.e30.e30',
    '',
  ])('none of our business: %s', (authorization) => {
    expect(instance().tokenIn(authorization)).toBeUndefined();
  });

  it('those of others are not, whatever else they say', () => {
    const bearers = instance();
    for (const iss of ['https://id.example.com', `${issuer.issuer}.evil.example`, '', issuer.issuer.toUpperCase()]) {
      const token = bearers.tokenIn(`Bearer ${issuer.token({ iss })}`);
      if (iss.toLowerCase() === issuer.issuer) continue;
      expect(token).toBeUndefined();
    }
    expect(bearers.tokenIn(`Bearer ${issuer.token()} extra`)).toBeUndefined();
    expect(bearers.tokenIn(`Bearer ${issuer.token()}, Basic YTpi`)).toBeUndefined();
  });
});

describe('the session of a token', () => {
  it('is one of the store, made once, and used without asking anybody', async () => {
    const bearers = instance();
    const text = issuer.token({ groups: ['bots'], sid: 's-1' });
    const token = tokenOf(bearers, text);
    expect(bearers.peek(token)).toBeUndefined();
    const { handle, session } = await use(bearers, text);
    expect(session).toMatchObject({ identity: { subject: 'robot', groups: ['bots'] }, providerSession: 's-1' });
    expect(asserted).toMatchObject([
      { target: 'superset', assertion: { origin: 'staff', claims: { groups: ['bots'] } } },
    ]);
    expect(bearers.peek(token)?.session).toMatchObject({ identity: { subject: 'robot' } });
    const listed = await store.list();
    expect(listed).toMatchObject([{ handle, origin: 'staff', person: session.identity.person }]);
    // A second later the record is asked for again, and nobody else.
    clock.ahead += 2_000;
    expect(bearers.peek(token)).toBeUndefined();
    issuer.down(true);
    expect((await use(bearers, text)).session.identity.subject).toBe('robot');
    expect(asserted).toHaveLength(1);
    expect(outcomes).toEqual(['ok']);
  });

  it('is made once by a hundred requests at the same time', async () => {
    const bearers = instance();
    const text = issuer.token();
    const all = await Promise.all(Array.from({ length: 100 }, () => use(bearers, text)));
    expect(new Set(all.map(({ handle }) => handle)).size).toBe(1);
    expect(asserted).toHaveLength(1);
  });

  it('ends with the token, however busy it is', async () => {
    const bearers = instance();
    const text = issuer.token();
    expect((await use(bearers, text)).session.endsAt).toBeLessThanOrEqual(clock.now() + 300_000);
    clock.ahead += 290_000;
    expect(await fate(bearers, text)).toBe('accepted');
    clock.ahead += 15_000;
    expect(await fate(bearers, text)).toBe('invalid_token: ended');
    clock.ahead += 60_000;
    expect(await fate(bearers, text)).toMatch(/^invalid_token/);
    expect(asserted).toHaveLength(1);
  });

  it('never idles out before, and ends with the longest life of a session', async () => {
    const bearers = instance();
    const text = issuer.token({ exp: Math.floor(clock.now() / 1_000) + 100_000 });
    await use(bearers, text);
    clock.ahead += 11 * HOUR;
    expect(await fate(bearers, text)).toBe('accepted');
    clock.ahead += HOUR;
    expect(await fate(bearers, text)).toBe('invalid_token: ended');
  });

  it('lasts no longer than session.absolute from when its token was issued', async () => {
    const iat = Math.floor(clock.now() / 1_000) - 11 * 3_600;
    const text = issuer.token({ iat, exp: iat + 86_400 });
    expect((await use(instance(), text)).session.endsAt).toBe((iat + 12 * 3_600) * 1_000);
    const old = issuer.token({ iat: iat - 3_600, exp: iat + 86_400 });
    expect(await fate(instance(), old)).toBe('invalid_token: ended');
    expect(asserted).toHaveLength(1);
  });

  it('is the same one on every instance', async () => {
    const text = issuer.token();
    const [one, other] = [instance(), instance(newStore())];
    const { handle } = await use(one, text);
    expect((await use(other, text)).handle).toBe(handle);
    expect(asserted).toHaveLength(1);
    expect(await store.list()).toHaveLength(1);
  });

  it('holds the stored claims of a login that an access token leaves out', async () => {
    const bearers = instance();
    await use(bearers, issuer.token({ email: 'robot@acme.test', groups: ['bots'] }));
    await use(bearers, issuer.token({ groups: ['others'] }));
    expect(asserted.at(-1)?.assertion.claims).toMatchObject({ email: 'robot@acme.test', groups: ['others'] });
    await use(bearers, issuer.token({ sub: 'somebody-else' }));
    expect(asserted.at(-1)?.assertion.claims).not.toHaveProperty('email');
  });
});

describe('an end', () => {
  const ends: [string, (text: string) => Promise<unknown>][] = [
    ['of the session', async (text) => store.destroyFor({ handle: tokenOf(instance(), text).handle })],
    ['of all sessions', async () => store.destroyFor({ all: true })],
    ['of the subject', async () => store.destroyFor({ issuer: issuer.issuer, subject: 'robot' })],
    ["of the provider's session", async () => store.destroyFor({ issuer: issuer.issuer, providerSession: 's-1' })],
    [
      'of the person',
      async () => {
        const who = await directory.people.bySubject({ issuer: issuer.issuer, subject: 'robot' });
        return store.destroyFor({ person: who?.id ?? '' });
      },
    ],
  ];

  it.each(ends)('%s is one of the token, for good, here and elsewhere', async (_what, end) => {
    const text = issuer.token({ sid: 's-1', exp: Math.floor(clock.now() / 1_000) + 36_000 });
    const [here, elsewhere] = [instance(), instance(newStore())];
    await use(here, text);
    await use(elsewhere, text);
    await end(text);
    expect(await fate(here, text)).toBe('invalid_token: ended');
    clock.ahead += 1_100;
    expect(await fate(elsewhere, text)).toBe('invalid_token: ended');
    // The store forgets what has ended after a quarter of an hour; a restarted instance remembers nothing.
    clock.ahead += HOUR;
    await (stores[0] as unknown as { prune(): Promise<number> }).prune();
    expect(await fate(instance(newStore()), text)).toBe('invalid_token: ended');
    expect(asserted).toHaveLength(1);
    expect(await fate(here, issuer.token())).toBe('accepted');
  });

  it('that comes while the session is being made is found', async () => {
    const bearers = instance();
    provisioning = async () => {
      const who = await directory.people.ensure({ issuer: issuer.issuer, subject: 'robot' }, 'staff', 'robot');
      await directory.people.setDisabled(who.id, true);
    };
    expect(await fate(bearers, issuer.token())).toBe('person_disabled');
    expect(await store.list()).toEqual([]);
  });

  it('that the provider tells of before the token is ever used counts for tokens that were issued by then', async () => {
    const bearers = instance();
    const at = Math.floor(clock.now() / 1_000);
    const early = issuer.token({ sid: 's-1', iat: at - 100 });
    const ofSession = issuer.token({ sid: 's-2', sub: 'other' });
    const word = { issuer: issuer.issuer, at: new Date(clock.now()), expiresAt: new Date(clock.now() + 300_000) };
    await endedLogins(store).end({ ...word, id: 'j-1', subject: 'robot' });
    await endedLogins(store).end({ ...word, id: 'j-2', providerSession: 's-2' });
    expect(await fate(bearers, early)).toBe('invalid_token: logout');
    expect(await fate(bearers, ofSession)).toBe('invalid_token: logout');
    clock.ahead += 2_000;
    expect(await fate(bearers, issuer.token({ sid: 's-3' }))).toBe('accepted');
    expect(await store.list()).toHaveLength(1);
  });

  const said = (id: string) => ({
    id,
    issuer: issuer.issuer,
    at: new Date(clock.now()),
    expiresAt: new Date(clock.now() + 300_000),
  });

  it('that the provider told of counts for a token of before that is brought hours later, and for no token of after', async () => {
    const at = Math.floor(clock.now() / 1_000);
    const times = { iat: at - 60, exp: at + 86_400 };
    const early = () =>
      [{}, { sub: 'other', sid: 's-2' }, { sub: 'third' }].map((of) => issuer.token({ ...times, ...of }));
    await endedLogins(store).end({ ...said('j-1'), subject: 'robot' });
    await endedLogins(store).end({ ...said('j-2'), providerSession: 's-2' });
    await endedLogins(store).end({ ...said('j-3'), subject: 'third', providerSession: 's-3' });
    for (const hours of [0.2, 6, 11.97]) {
      clock.ahead = hours * HOUR;
      for (const text of early()) expect(await fate(instance(), text)).toBe('invalid_token: logout');
      expect(await fate(instance(), issuer.token())).toBe('accepted');
    }
    clock.ahead = 13 * HOUR;
    for (const text of early()) expect(await fate(instance(), text)).toBe('invalid_token: ended');
  });

  it("of a session of the provider ends the subject's tokens that name none, and none of another session", async () => {
    const bearers = instance();
    const [lone, named, other] = [issuer.token(), issuer.token({ sid: 's-1' }), issuer.token({ sid: 's-2' })];
    const stranger = issuer.token({ sub: 'stranger' });
    for (const text of [lone, named, other, stranger]) await use(bearers, text);
    expect(await endedLogins(store).end({ ...said('j-1'), subject: 'robot', providerSession: 's-1' })).toBe(2);
    expect(await fate(bearers, lone)).toBe('invalid_token: ended');
    expect(await fate(bearers, named)).toBe('invalid_token: ended');
    expect(await fate(bearers, other)).toBe('accepted');
    expect(await fate(bearers, stranger)).toBe('accepted');
  });

  it('is not undone by an instance that was making the session at that moment', async () => {
    const text = issuer.token();
    const slow = instance(newStore());
    let go = () => {};
    let arrived = () => {};
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    provisioning = () => {
      arrived();
      return new Promise<void>((resolve) => {
        go = resolve;
      });
    };
    const first = fate(slow, text);
    await waiting;
    provisioning = async () => {};
    const fast = instance();
    await use(fast, text);
    await store.destroyFor({ all: true });
    go();
    expect(await first).toBe('invalid_token: ended');
    expect(await store.list()).toEqual([]);
  });
});

describe('who is refused', () => {
  it('is refused again without asking, for a while', async () => {
    const bearers = instance();
    provisioning = async () => {
      throw new LatchgateError('denied_by_rule', 'no');
    };
    const text = issuer.token();
    expect(await fate(bearers, text)).toBe('denied_by_rule');
    expect(await fate(bearers, text)).toBe('denied_by_rule');
    expect(asserted).toHaveLength(1);
    provisioning = async () => {};
    clock.ahead += 10_001;
    expect(await fate(bearers, text)).toBe('accepted');
  });

  it('tries again at once when the trouble is not the token', async () => {
    const bearers = instance();
    provisioning = async () => {
      throw new LatchgateError('target_unavailable', 'down');
    };
    const text = issuer.token();
    expect(await fate(bearers, text)).toBe('target_unavailable');
    provisioning = async () => {};
    expect(await fate(bearers, text)).toBe('accepted');
    expect(await fate(bearers, text)).toBe('accepted');
    expect(outcomes).toEqual(['target_unavailable', 'ok']);
  });

  it('with a bad token asks neither the database nor the provider twice', async () => {
    const bearers = instance();
    const text = issuer.token({}, {}, 'wrong-key');
    expect(await fate(bearers, text)).toBe('invalid_token');
    await database.close();
    issuer.down(true);
    expect(await fate(bearers, text)).toBe('invalid_token');
    expect(outcomes).toEqual(['invalid_token']);
    database = await openDatabase('sqlite::memory:');
  });

  it('is let in by nobody while the database does not answer', async () => {
    const bearers = instance();
    const text = issuer.token();
    await use(bearers, text);
    await database.close();
    clock.ahead += 2_000;
    expect(await fate(bearers, text)).toBe('session_store_unavailable');
    expect(await fate(bearers, issuer.token())).toMatch(/_unavailable$/);
    database = await openDatabase('sqlite::memory:');
  });

  it('brings new tokens all the time', async () => {
    const bearers = instance();
    const begin = async (count: number, claims: object = {}) => {
      for (let at = 0; at < count; at += 1) await use(bearers, issuer.token({ ...claims }));
    };
    await begin(300);
    expect(await fate(bearers, issuer.token())).toBe('too_many_requests');
    await begin(1, { sub: 'another' });
    clock.ahead += 1_000;
    expect(await fate(bearers, issuer.token())).toBe('accepted');
  }, 60_000);
});
