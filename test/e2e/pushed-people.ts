import type { GoodDataEmulator } from '../emulators/gooddata/server.ts';
import { Browser, refusalOn } from '../journey/browser.ts';
import { gooddataUser, person } from '../journey/company.ts';
import { endedAfterMs, type Opened, openAll } from '../journey/open-work.ts';
import { patchOf, type ScimCaller, scimClient, scimUser } from '../journey/scim-client.ts';
import { latchgate } from './command.ts';
import { eventually } from './stage.ts';
import type { SupersetAccount, SupersetAdmin } from './superset-admin.ts';

/** As their login knows them. */
export const PUSHED_PEOPLE = [person('alice', { family_name: 'Berg' }), person('bob')];

/** A gateway before Superset, with what never ends before it, to which a SCIM client pushes `alice` and group `finance`. */
export interface PushedStage {
  readonly gateway: string;
  readonly configFile: string;
  readonly admin: SupersetAdmin;
  readonly gooddata: GoodDataEmulator;
}

/** Rules for who is pushed, beside those of the others. */
export const PUSHED_RULES = `
  pushed: { when: { kind: pushed }, grant: { gooddata: {} } }
  finance: { when: { groups: finance }, grant: { superset: { roles: [Finance], groups: [finance] }, gooddata: { groups: [finance] } } }`;

const CUT_OFF_WITHIN_MS = 1_000;

/** What Superset and GoodData say of alice after each push, from her first day to her last. Bob only logs in. */
export function describePushes(stage: () => PushedStage): void {
  describe('a person who is pushed by SCIM', () => {
    const browsers: Browser[] = [];
    let scim: ScimCaller;
    let made: SupersetAccount;
    let id: string;
    let group: string;

    beforeAll(() => {
      scim = scimClient(stage().gateway);
    });
    afterAll(() => Promise.all(browsers.map((one) => one.close())));

    const inSuperset = () => stage().admin.account('alice@acme.test');
    const inGoodData = () => gooddataUser(stage().gooddata.state, 'alice');
    const change = async (path: string, ...operations: readonly unknown[]) => {
      const { status, body } = await scim.call('PATCH', path, patchOf(...operations));
      expect([status, body?.detail]).toEqual([path.startsWith('/Groups') ? 204 : 200, undefined]);
    };
    const logIn = async (name: string): Promise<Browser> => {
      const browser = new Browser();
      browsers.push(browser);
      expect((await browser.logIn(`${stage().gateway}/superset/welcome/`, name)).status).toBe(200);
      return browser;
    };
    const me = async (browser: Browser) => {
      const { status, text } = await browser.call(`${stage().gateway}/api/v1/me/`);
      return status === 200 ? JSON.parse(text).result.username : status;
    };
    const openedBy = (browser: Browser): Promise<Opened[]> => {
      const { gateway } = stage();
      return openAll([gateway], gateway, `latchgate=${browser.cookie(gateway, 'latchgate')}`);
    };

    it('has an account in Superset and one in GoodData before they ever log in', async () => {
      expect(await stage().admin.find('alice')).toEqual([]);
      const { status, body } = await scim.call('POST', '/Users', scimUser('alice', { userType: 'pushed' }));
      expect([status, body.userName]).toEqual([201, 'alice@acme.test']);
      id = body.id;
      made = await inSuperset();
      expect(made).toMatchObject({ first_name: 'Alice', last_name: 'Adams', email: 'alice@acme.test', active: true });
      expect(made).toMatchObject({ roles: ['Gamma'], groups: [] });
      expect(inGoodData()).toMatchObject({ firstname: 'Alice', lastname: 'Adams', groups: [] });
    });

    it('gets role and groups with a membership, not with the group', async () => {
      const { status, body } = await scim.call('POST', '/Groups', { displayName: 'finance' });
      expect([status, body.displayName]).toEqual([201, 'finance']);
      group = body.id;
      expect([await inSuperset(), await stage().admin.groups('finance')]).toEqual([made, []]);
      await change(`/Groups/${group}`, { op: 'add', path: 'members', value: [{ value: id }] });
      expect(await inSuperset()).toEqual({ ...made, roles: ['Finance', 'Gamma'], groups: ['finance'] });
      expect(inGoodData()).toMatchObject({ groups: ['finance'] });
    });

    it('has the name that is pushed', async () => {
      await change(`/Users/${id}`, { op: 'replace', path: 'name.familyName', value: 'Berg' });
      expect(await inSuperset()).toMatchObject({ id: made.id, last_name: 'Berg', roles: ['Finance', 'Gamma'] });
      expect(inGoodData()).toMatchObject({ lastname: 'Berg', groups: ['finance'] });
    });

    it('loses with the membership what came with it', async () => {
      await change(`/Groups/${group}`, { op: 'remove', path: `members[value eq "${id}"]` });
      expect(await inSuperset()).toEqual({ ...made, last_name: 'Berg' });
      expect(inGoodData()).toMatchObject({ groups: [] });
    });

    it('is out of Superset within a second when they are deactivated, with all that was open; others stay', async () => {
      const [alices, bobs] = [await logIn('alice'), await logIn('bob')];
      expect(await Promise.all([me(alices), me(bobs)])).toEqual([made.username, 'bob']);
      const before = await inSuperset();
      expect(before).toEqual({ ...made, last_name: 'Berg' });
      const [hers, his] = [await openedBy(alices), await openedBy(bobs)];
      expect(hers.map(({ kind, isOver }) => [kind, isOver])).toContainEqual(['WebSocket', false]);

      const pushed = performance.now();
      await change(`/Users/${id}`, { op: 'replace', value: { active: false } });
      await eventually('all of hers is cut off', () => hers.every(({ isOver }) => isOver), 5_000);
      expect(endedAfterMs(hers, pushed)).toBeLessThan(CUT_OFF_WITHIN_MS);
      expect(await Promise.all([me(alices), me(bobs)])).toEqual([401, 'bob']);
      const bytes = his.map((one) => one.bytes);
      await eventually('bob hears more', () => his.every((one, at) => one.bytes > (bytes[at] ?? 0)));
      for (const one of his) one.close();
      expect(await inSuperset()).toEqual({ ...before, active: false });
    });

    it('is not brought back by a login', async () => {
      const browser = new Browser();
      browsers.push(browser);
      const page = await browser.logIn(`${stage().gateway}/superset/welcome/`, 'alice');
      expect(refusalOn(page)).toMatchObject({ status: 403, code: 'person_left' });
      expect(await inSuperset()).toMatchObject({ id: made.id, active: false });
    });

    it('is there in the audit with each push', async () => {
      const { out } = await latchgate(stage().configFile, 'audit', 'list', '--json');
      const events = out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
      const pushes = events.filter(({ actor, event }) => actor === 'scim:okta' && /^(scim|person)\./.test(event));
      expect(pushes.map(({ event }) => event)).toEqual([
        'scim.user.created',
        'scim.group.created',
        'scim.group.changed',
        'scim.user.changed',
        'scim.group.changed',
        'scim.user.changed',
        'person.left',
      ]);
    });
  });
}
