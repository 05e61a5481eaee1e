import { must } from '../../conformance/target-subject.ts';
import { rewrite } from '../../emulators/scim/state.ts';
import { change, closeAll, creation, entitlement, memberIds, outcomes, signal, start } from './by-hand.ts';
import { MISSING } from './subject.ts';

afterEach(closeAll);

describe('members of a group', () => {
  it('come and go for many people in one call each, and the others stay', async () => {
    const { applyMany, person, group, account, calls } = await start();
    const people = ['a', 'b', 'c', 'd'].map((name) => person(name).id);
    const [old, next] = [group('old', [...people, person('other').id]), group('next', [person('another').id])];
    const accounts = await Promise.all(people.map(account));
    calls();
    const sets = accounts.map((actual) => change(actual, { add: [entitlement(next)], drop: [entitlement(old)] }));
    expect(outcomes(await applyMany(sets))).toEqual(['applied', 'applied', 'applied', 'applied']);
    expect(calls().filter((call) => call !== 'GET Users')).toEqual(['GET Groups', 'PATCH Groups', 'PATCH Groups']);
    expect(memberIds(old)).toHaveLength(1);
    expect(memberIds(next)).toHaveLength(5);
  });

  it('are looked for together when they are many, and one by one who is not seen so', async () => {
    const { applyMany, person, group, account, calls, state } = await start();
    const people = Array.from({ length: 30 }, (_, at) => person(`p${at}`).id);
    const team = group('team');
    const accounts = await Promise.all(people.map(account));
    state.users.delete(must(people[7]));
    calls();
    const results = await applyMany(accounts.map((actual) => change(actual, { add: [entitlement(team)] })));
    expect(outcomes(results).filter((outcome) => outcome !== 'applied')).toEqual(['target_conflict']);
    expect(memberIds(team)).toHaveLength(29);
    expect(calls()).toEqual(['GET Groups', 'GET Users', 'GET Users', 'GET Users', 'GET Users', 'PATCH Groups']);
  });

  it('whom somebody adds between our read and our PUT stay', async () => {
    for (const etag of [true, 'required'] as const) {
      const { target, person, group, account, state, before } = await start({ emulated: { patch: false, etag } });
      const [ours, theirs] = [person('ours').id, person('theirs').id];
      const team = group('team');
      const actual = await account(ours);
      before('PUT', /Groups/, () => rewrite(state, team, { ...team.document, members: [{ value: theirs }] }));
      await target.apply(change(actual, { add: [entitlement(team)] }), signal);
      expect(memberIds(team)).toEqual([theirs, ours]);
    }
  });

  it('are read back where there is no version, and put in again when they were written over', async () => {
    const { target, person, group, account, state, before } = await start({ emulated: { patch: false, etag: false } });
    const [ours, theirs] = [person('ours').id, person('theirs').id];
    const team = group('team');
    const actual = await account(ours);
    before('PUT', /Groups/, () =>
      before('GET', /Groups/, () => rewrite(state, team, { ...team.document, members: [{ value: theirs }] })),
    );
    await target.apply(change(actual, { add: [entitlement(team)] }), signal);
    expect(memberIds(team)).toEqual([theirs, ours]);
  });

  it('go, and they alone, where a path may not pick them', async () => {
    const { applyMany, person, group, account } = await start({ emulated: { valuePaths: false } });
    const people = ['a', 'b'].map((name) => person(name).id);
    const others = ['c', 'd'].map((name) => person(name).id);
    const team = group('team', [...people, ...others]);
    const accounts = await Promise.all(people.map(account));
    const results = await applyMany(accounts.map((actual) => change(actual, { drop: [entitlement(team)] })));
    expect(outcomes(results)).toEqual(['applied', 'applied']);
    expect(memberIds(team)).toEqual(others);
  });

  it('are not emptied, nor taken for gone, where only PUT is taken and nobody is shown', async () => {
    const { applyMany, person, group, account } = await start({ emulated: { patch: false, showsMembers: false } });
    const [ours, theirs] = [person('ours').id, person('theirs').id];
    const team = group('team', [ours, theirs]);
    const next = group('next', [theirs]);
    const results = await applyMany([
      change(await account(ours), { add: [entitlement(next)], drop: [entitlement(team)] }),
    ]);
    expect(outcomes(results)).toEqual(['target_refused']);
    expect(memberIds(team)).toEqual([ours, theirs]);
    expect(memberIds(next)).toEqual([theirs]);
  });

  it('who are not there any more when they are to go are no failure', async () => {
    const { target, person, group, account } = await start();
    const team = group('team', [person('other').id]);
    const actual = await account(person('ada').id);
    const applied = await target.apply(change(actual, { drop: [entitlement(team)] }), signal);
    expect(applied.account.entitlements).toEqual([]);
    expect(memberIds(team)).toHaveLength(1);
  });

  it('are asked for by a filter once it has shown that it works', async () => {
    const { person, group, account, calls } = await start({ emulated: { userGroups: false } });
    const { id } = person('ada');
    const team = group('team', [id]);
    await account(id);
    calls();
    expect((await account(id)).entitlements).toEqual([entitlement(team)]);
    expect(calls()).toEqual(['GET Users', 'GET Groups']);
  });
});

describe('groups', () => {
  it('that are missing and may not be made are a failure, before anything is written', async () => {
    const { target, calls, requests } = await start({ config: { missing: { ...MISSING, groups: 'refuse' } } });
    const set = creation('ada', { add: [{ kind: 'group', name: 'gone' }] });
    await expect(target.apply(set, signal)).rejects.toMatchObject({ code: 'group_missing' });
    expect(calls()).toEqual(['GET Groups']);
    expect(requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('are looked for without their members', async () => {
    const { target, group, person, requests } = await start({ emulated: { filter: false } });
    const team = group('team', [person('ada').id]);
    expect(await target.find([{ kind: 'group', name: 'team' }], signal)).toEqual([entitlement(team)]);
    const lists = requests.filter(({ path }) => path.includes('/Groups')).map(({ path }) => path);
    expect(lists).not.toEqual([]);
    expect(lists.filter((path) => !path.includes('excludedAttributes=members'))).toEqual([]);
  });

  it('of one name are one to us: the oldest', async () => {
    const { target, group } = await start();
    const [first] = [group('team'), group('team')];
    expect(await target.find([{ kind: 'group', name: 'team' }], signal)).toEqual([entitlement(first)]);
  });

  it('that another instance made in the same moment are not there twice', async () => {
    const { target, group, state, before } = await start();
    // Theirs is there first, and we have not seen it.
    before('POST', /Groups/, () => void group('team'));
    const set = creation('ada', { add: [{ kind: 'group', name: 'team' }] });
    const { account } = await target.apply(set, signal);
    const groups = [...state.groups.values()];
    expect(groups).toHaveLength(1);
    expect(account.entitlements).toEqual(groups.map(entitlement));
    expect(memberIds(must(groups[0]))).toEqual([account.id]);
  });

  it('whose names differ in case alone, where that cannot be, are a conflict', async () => {
    const { target, group } = await start({ emulated: { uniqueGroups: true } });
    group('Team');
    const set = creation('ada', { add: [{ kind: 'group', name: 'team' }] });
    await expect(target.apply(set, signal)).rejects.toMatchObject({ code: 'entitlement_conflict' });
  });
});
