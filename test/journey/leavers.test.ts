import { refusalOn } from './browser.ts';
import { BOTH, claimsOf, GOODDATA, GROUPS, gooddataUser, person, supersetUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

const groupsAbsentEmpty = `
  acme:
    issuer: "\${ISSUER}"
    client_id: latchgate-journey
    client_secret: a secret that only tests know
    groups_absent: empty
    groups_separator: ","`;

describe('with groups_absent: empty and a separator', () => {
  let journey: Journey;
  beforeAll(async () => {
    journey = await startJourney({ people: [person('ann')], sections: { ...GOODDATA, login: groupsAbsentEmpty } });
  });
  afterAll(() => journey.close());

  it('takes a text with commas as several groups, each trimmed', async () => {
    journey.idp.setClaims('ann', claimsOf('ann', { [GROUPS]: 'sales, finance' }));
    await journey.logIn('ann');
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['finance', 'sales']);
  });

  it('takes a claim that is absent as member of none', async () => {
    journey.idp.setClaims('ann', claimsOf('ann'));
    await journey.logIn('ann');
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual([]);
  });
});

describe.each(['disable', 'delete'] as const)('with safety.leaver: %s', (leaver) => {
  let journey: Journey;
  beforeAll(async () => {
    const people = ['ann', 'ben'].map((sub) => person(sub, { groups: ['team-a'] }));
    journey = await startJourney({ people, sections: { ...BOTH, safety: `{ leaver: ${leaver} }` } });
    journey.gooddata.state.users.set('ben', { id: 'ben', attributes: { authenticationId: 'ben' }, relationships: {} });
  });
  afterAll(() => journey.close());

  it(`lets a person go by users disable: session ended, accounts ${leaver}d, no way back in`, async () => {
    const browser = journey.browser();
    expect((await browser.logIn(`${journey.url}/superset/welcome/`, 'ann')).status).toBe(200);
    await until('the other target', () => gooddataUser(journey.gooddata.state, 'ann'));
    const { code, out } = await journey.cli('users', 'disable', 'ann@acme.test');
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('gooddata: done') });
    const inSuperset = supersetUser(journey.superset.state, 'ann');
    const inGoodData = gooddataUser(journey.gooddata.state, 'ann');
    if (leaver === 'delete') expect([inSuperset, inGoodData]).toEqual([undefined, undefined]);
    else {
      expect(inSuperset).toMatchObject({ active: false });
      // GoodData has no switch: what we gave goes.
      expect(inGoodData?.groups).toEqual([]);
    }
    const call = await until('the end of the session', async () => {
      const answer = await browser.call(`${journey.url}/`);
      return answer.status === 401 ? answer : undefined;
    });
    expect(JSON.parse(call.text)).toMatchObject({ error: 'login_required' });
    expect(refusalOn(await journey.logIn('ann'))).toMatchObject({ status: 403, code: 'person_disabled' });
  });

  it('never deletes an account that was there before us', async () => {
    await journey.logIn('ben');
    expect(gooddataUser(journey.gooddata.state, 'ben')?.groups).toEqual(['team-a']);
    expect((await journey.cli('users', 'disable', 'ben@acme.test')).code).toBe(0);
    expect(gooddataUser(journey.gooddata.state, 'ben')).toMatchObject({ groups: [] });
  });

  it('gives a person who is enabled again what the rules give', async () => {
    expect((await journey.cli('users', 'enable', 'ann@acme.test')).code).toBe(0);
    expect((await journey.logIn('ann', '/superset/welcome/')).status).toBe(200);
    expect(supersetUser(journey.superset.state, 'ann')).toMatchObject({
      active: true,
      groups: ['team-a'],
      roles: ['Gamma'],
    });
    const inGoodData = await until('the other target', () => gooddataUser(journey.gooddata.state, 'ann')?.groups[0]);
    expect(inGoodData).toBe('team-a');
  });
});
