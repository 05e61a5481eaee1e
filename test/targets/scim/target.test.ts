import { createLimiters } from '../../../src/ops/limiter.ts';
import { must } from '../../conformance/target-subject.ts';
import { rewrite } from '../../emulators/scim/state.ts';
import { change, closeAll, creation, memberIds, outcomes, signal, start } from './by-hand.ts';

afterEach(closeAll);

describe('a change of an account', () => {
  it('is one PATCH of what differs, over the version that was read', async () => {
    const { person, account, target, requests, calls } = await start();
    const { id, version } = person('ada', { name: { givenName: 'Ada', familyName: 'Byron', honorificPrefix: 'Lady' } });
    const actual = await account(id);
    calls();
    const profile = { givenName: 'Ada', familyName: 'Lovelace' };
    const { account: after } = await target.apply(change(actual, { profile, active: false }), signal);
    expect(calls()).toEqual(['GET Users', 'PATCH Users']);
    expect(requests.at(-1)).toMatchObject({
      ifMatch: `W/"${version}"`,
      body: {
        Operations: [
          { op: 'replace', path: 'name.familyName', value: 'Lovelace' },
          { op: 'replace', path: 'active', value: false },
        ],
      },
    });
    expect(after).toMatchObject({ active: false, profile: { familyName: 'Lovelace' } });
  });

  it('leaves the other addresses of the account, and what it does not know of the one', async () => {
    for (const patch of [true, false]) {
      const { person, account, target, state } = await start({ emulated: { patch } });
      const home = { value: 'home@example.org', type: 'home' };
      const { id } = person('ada', { emails: [home, { value: 'old@example.com', type: 'other', primary: true }] });
      await target.apply(change(await account(id), { profile: { email: 'new@example.com' } }), signal);
      expect(state.users.get(id)?.document['emails']).toEqual([
        home,
        { value: 'new@example.com', type: 'other', primary: true },
      ]);
    }
  });

  it('is made again from what is there when somebody writes meanwhile', async () => {
    for (const patch of [true, false]) {
      const { person, account, target, state, before } = await start({ emulated: { patch } });
      const stored = person('ada', { name: { givenName: 'Ada' } });
      const actual = await account(stored.id);
      before(patch ? 'PATCH' : 'PUT', /Users/, () => rewrite(state, stored, { ...stored.document, title: 'Countess' }));
      await target.apply(change(actual, { profile: { givenName: 'Augusta' } }), signal);
      expect(stored.document).toMatchObject({ title: 'Countess', name: { givenName: 'Augusta' } });
    }
  });

  it('tries PATCH once where nobody says that there is none', async () => {
    const { person, account, target, calls } = await start({ emulated: { patch: false, discovery: false } });
    const actual = await account(person('ada').id);
    calls();
    await target.apply(change(actual, { profile: { givenName: 'Ada' } }), signal);
    await target.apply(change(actual, { profile: { givenName: 'Augusta' } }), signal);
    expect(calls()).toEqual(['GET Users', 'PATCH Users', 'GET Users', 'PUT Users', 'GET Users', 'PUT Users']);
  });

  it('says which of our values the service does not take, without the value', async () => {
    const { person, account, target, faults } = await start();
    const actual = await account(person('ada').id);
    faults.set({ match: (method) => method === 'PATCH', status: 400 });
    const failure = await target.apply(change(actual, { profile: { givenName: 'Secret' } }), signal).catch(String);
    expect(failure).toMatch(/does not take these values/);
    expect(failure).not.toMatch(/Secret/);
  });
});

describe('an account that goes', () => {
  it('is switched off where the service deletes nobody', async () => {
    const { person, account, target, state } = await start({ emulated: { deletes: false } });
    const { id } = person('ada');
    const { account: after } = await target.apply(change(await account(id), { remove: true }), signal);
    expect(after.active).toBe(false);
    expect(state.users.get(id)?.document['active']).toBe(false);
  });

  it('is not taken for gone because of a page that says "not found"', async () => {
    const { person, account, target, faults } = await start();
    const actual = await account(person('ada').id);
    faults.set({ html: true, status: 404 });
    await expect(target.apply(change(actual, { remove: true }), signal)).rejects.toMatchObject({
      code: 'target_answer_invalid',
    });
  });
});

describe('a new account', () => {
  it('is refused to somebody whose user name differs from another one in case alone', async () => {
    const { target, person, state } = await start();
    person('ADA');
    await expect(target.apply(creation('ada'), signal)).rejects.toMatchObject({ code: 'user_name_taken' });
    expect(state.users.size).toBe(2);
  });

  it('is not made twice, nor taken for ours, when somebody switched it off since', async () => {
    const { target, person } = await start();
    person('ada', { externalId: 'ext-ada', active: false });
    await expect(target.apply(creation('ada'), signal)).rejects.toMatchObject({ code: 'target_conflict' });
  });
});

describe('several new accounts', () => {
  const BULK = { maxOperations: 3, maxPayloadSize: 100_000 };
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

  it('go together, as many as the service takes, and then into their groups', async () => {
    const { applyMany, calls, group, target } = await start({ emulated: { bulk: BULK } });
    const team = group('team');
    await target.probe(signal);
    calls();
    const sets = names.map((name) => creation(name, { add: [{ kind: 'group', name: 'team' }] }));
    expect(outcomes(await applyMany(sets))).toEqual(names.map(() => 'applied'));
    expect(calls()).toEqual(['GET Groups', 'POST Bulk', 'POST Bulk', 'POST Users', 'PATCH Groups']);
    expect(memberIds(team)).toHaveLength(names.length);
  });

  it('fail each for itself', async () => {
    const { applyMany, person, state } = await start({ emulated: { bulk: BULK } });
    person('B');
    expect(outcomes(await applyMany(['a', 'b', 'c'].map((name) => creation(name))))).toEqual([
      'applied',
      'user_name_taken',
      'applied',
    ]);
    expect([...state.users.values()].map(({ document }) => document['externalId'])).toEqual([
      undefined,
      undefined,
      'ext-a',
      'ext-c',
    ]);
  });

  it('go one by one where the service does not take them together after all', async () => {
    const { applyMany, faults, calls, target } = await start({ emulated: { bulk: BULK } });
    await target.probe(signal);
    calls();
    faults.set({ match: (_, path) => path === '/Bulk', status: 413 });
    const sets = names.slice(0, 3).map((name) => creation(name));
    expect(outcomes(await applyMany(sets))).toEqual(['applied', 'applied', 'applied']);
    expect(calls()).toEqual(['POST Bulk', 'POST Users', 'POST Users', 'POST Users']);
  });

  it('are not made a second time when the answer to all of them is lost', async () => {
    const { applyMany, faults, state } = await start({ emulated: { bulk: BULK } });
    faults.set({ match: (_, path) => path === '/Bulk', times: 1, dropAfterApply: true });
    const results = await applyMany(names.slice(0, 3).map((name) => creation(name)));
    expect(outcomes(results)).toEqual(['already', 'already', 'already']);
    expect(state.users.size).toBe(4);
  });
});

describe('what the service says of itself', () => {
  it('leaves out of plans what it does not have', async () => {
    const { target } = await start({ emulated: { lacks: ['displayName'] } });
    expect(target.can.profile).toEqual(['givenName', 'familyName', 'displayName', 'email']);
    await target.probe(signal);
    expect(target.can.profile).toEqual(['givenName', 'familyName', 'email', 'title', 'department']);
  });

  it('is asked for once by all who need it', async () => {
    const { target, requests } = await start();
    const read = () => target.read({ kind: 'person', lookup: { userNames: ['a'] } }, signal);
    await Promise.all([read(), read(), read()]);
    await read();
    expect(requests.filter(({ path }) => /Config|Types|Schemas|Me/.test(path)).map(({ path }) => path)).toEqual([
      '/ServiceProviderConfig',
      '/ResourceTypes',
      '/Schemas',
      '/Me',
    ]);
  });
});

it('waits as long as the service asks for, and loses nothing', async () => {
  const { target, faults, state } = await start({ http: { limiters: createLimiters() } });
  await target.probe(signal);
  faults.set({ times: 1, match: (method) => method === 'POST', rateLimit: { perSecond: 0, retryAfter: 1 } });
  expect((await target.apply(creation('ada'), signal)).outcome).toBe('applied');
  expect(state.users.size).toBe(2);
});

it('never writes to the account of its own token', async () => {
  const { target, state, requests } = await start();
  const { account: own } = await target.probe(signal);
  const { accounts } = await target.read({ kind: 'all' }, signal);
  const actual = must(accounts.find(({ id }) => id === own));
  for (const more of [{ active: false }, { remove: true }, { profile: { givenName: 'X' } }]) {
    await expect(target.apply(change(actual, more), signal)).rejects.toMatchObject({ code: 'account_protected' });
  }
  expect(requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(state.users.size).toBe(1);
});
