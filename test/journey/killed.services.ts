import { join } from 'node:path';
import type { Fault } from '../emulators/gooddata/faults.ts';
import { type Child, startChild, waitUntil } from '../services/child.ts';
import { projectRoot } from '../services/project.ts';
import { refusalOn } from './browser.ts';
import {
  claimsOf,
  GOODDATA,
  gooddataPeople,
  gooddataUser,
  person,
  type Sections,
  SUPERSET,
  supersetPeople,
  supersetUser,
} from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// The gateway as a process of its own, killed between a call that the backend did and the record of it.
const LIMIT_MS = 60_000;

/** `dist`, which `npm run test:services` has just built. */
const MAIN = join(projectRoot(), 'dist', 'main.js');

async function startProcess(journey: Journey): Promise<Child> {
  const command = [process.execPath, MAIN, 'serve', '--config', journey.configFile];
  const child = startChild('gateway', command, { env: journey.env });
  await waitUntil(child, LIMIT_MS, () => child.log.some((line) => line.includes('"message":"ready"')));
  return child;
}

/** Somebody logs in, the process is killed while the backend keeps silent after what it did; then there is a new one. */
async function killDuring(
  journey: Journey,
  backend: { readonly faults: { set(fault: Fault): void; clear(): void } },
  call: { readonly method: string; readonly path: RegExp },
): Promise<void> {
  const child = await startProcess(journey);
  let isDone = false;
  const match = (method: string, path: string) => {
    const fits = method === call.method && call.path.test(path);
    isDone ||= fits;
    return fits;
  };
  backend.faults.set({ match, dropAfterApply: 'hang' });
  const login = journey.logIn('ann').then(
    (page) => page.status,
    () => 'cut off',
  );
  await until('the call', () => isDone || undefined);
  // The backend answers within the same turn; it is done when it keeps silent.
  await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill('SIGKILL');
  await child.exited;
  expect(await login).toBe('cut off');
  backend.faults.clear();
  await journey.start();
}

const GROUP_CALL = { method: 'POST', path: /\/(?:userGroups|groups\/)$/ };
const NEW_USER = { method: 'POST', path: /\/(?:users|users\/)$/ };
const CHANGED_USER = { method: 'POST', path: /\/(?:add|remove)Members$/ };

interface Scene {
  readonly journey: Journey;
  says(groups: readonly string[]): void;
  /** Succeeds, whatever was left half done. */
  logIn(): Promise<void>;
}

/** In a company of its own, so that all of them can wait at the same time for what the dead process held. */
function scene(sections: Sections, groups: readonly string[], play: (scene: Scene) => Promise<void>) {
  return async () => {
    const targets = sections['targets']?.replaceAll('timeout: 10s', 'timeout: 30s') ?? '';
    const people = [person('ann', { groups })];
    const journey = await startJourney({ people, sections: { ...sections, targets }, start: false });
    try {
      await play({
        journey,
        says: (now) => journey.idp.setClaims('ann', claimsOf('ann', { groups: now })),
        logIn: async () => {
          const page = await journey.logIn('ann');
          expect({ status: page.status, code: refusalOn(page).code }).toEqual({ status: 200, code: '' });
        },
      });
    } finally {
      await journey.close();
    }
  };
}

const inGoodData = ({ journey }: Scene) => gooddataUser(journey.gooddata.state, 'ann');
const inSuperset = ({ journey }: Scene) => supersetUser(journey.superset.state, 'ann');

describe('kill -9 in front of GoodData', () => {
  const play = (act: (scene: Scene) => Promise<void>) => scene(GOODDATA, ['sales', 'finance'], act);

  it.concurrent(
    'after the account was made and before it was recorded: taken up, nothing doubled, the grants are ours',
    play(async (scene) => {
      const { journey } = scene;
      await killDuring(journey, journey.gooddata, NEW_USER);
      expect(inGoodData(scene)?.groups).toEqual(['finance', 'sales']);
      await scene.logIn();
      expect(gooddataPeople(journey.gooddata.state)).toEqual(['ann']);
      const { grants, accounts } = JSON.parse((await journey.cli('users', 'show', 'ann', '--json')).out);
      expect(accounts).toMatchObject([{ target: 'gooddata', accountId: 'ann', created: true, state: 'ready' }]);
      expect(grants.map(({ name, confirmed }: Record<string, unknown>) => [name, confirmed]).sort()).toEqual([
        ['finance', true],
        ['sales', true],
      ]);
      scene.says([]);
      await scene.logIn();
      expect(inGoodData(scene)?.groups).toEqual([]);
      expect((await journey.cli('audit', 'verify')).code).toBe(0);
      const audit = (await journey.cli('audit', 'list', '--json')).out.split('\n').map((line) => JSON.parse(line));
      const made = audit.filter(({ event }) => event === 'account.created');
      expect(made).toMatchObject([{ key: 'ann', after: { recovered: true } }]);
    }),
    LIMIT_MS,
  );

  it.concurrent(
    'after a group was made and before the account: the account is made, with the groups',
    play(async (scene) => {
      await killDuring(scene.journey, scene.journey.gooddata, GROUP_CALL);
      expect(inGoodData(scene)).toBeUndefined();
      await scene.logIn();
      expect(inGoodData(scene)?.groups).toEqual(['finance', 'sales']);
      expect(gooddataPeople(scene.journey.gooddata.state)).toEqual(['ann']);
    }),
    LIMIT_MS,
  );

  it.concurrent(
    'after a group was given to a known person: what was given can be taken again',
    play(async (scene) => {
      const before = await scene.journey.start();
      scene.says(['sales']);
      await scene.logIn();
      await before.stop();
      scene.says(['sales', 'finance']);
      await killDuring(scene.journey, scene.journey.gooddata, CHANGED_USER);
      expect(inGoodData(scene)?.groups).toEqual(['finance', 'sales']);
      scene.says(['sales']);
      await scene.logIn();
      expect(inGoodData(scene)?.groups).toEqual(['sales']);
    }),
    LIMIT_MS,
  );

  it.concurrent(
    'after a group was taken away: it stays taken, and given by hand later it is not ours',
    play(async (scene) => {
      const { journey } = scene;
      const before = await journey.start();
      await scene.logIn();
      await before.stop();
      scene.says(['sales']);
      await killDuring(journey, journey.gooddata, CHANGED_USER);
      expect(inGoodData(scene)?.groups).toEqual(['sales']);
      await scene.logIn();
      journey.gooddata.state.users.get('ann')?.relationships['userGroups']?.push({ id: 'finance', type: 'userGroup' });
      await scene.logIn();
      expect(inGoodData(scene)?.groups).toEqual(['finance', 'sales']);
    }),
    LIMIT_MS,
  );
});

describe('SIGTERM', () => {
  it.concurrent(
    'lets an open request end, takes no new one, and ends with 0',
    scene(GOODDATA, ['sales'], async ({ journey }) => {
      const child = await startProcess(journey);
      const browser = journey.browser();
      await browser.logIn(`${journey.url}/`, 'ann');
      journey.gooddata.faults.set({ delayMs: 1_000, match: (_method, path) => path === '/slow' });
      const slow = browser.visit(`${journey.url}/slow`);
      await until('the request', () => journey.gooddata.requests.some(({ path }) => path === '/slow') || undefined);
      child.kill('SIGTERM');
      expect((await slow).text).toContain('<code data-user>ann</code>');
      expect(await child.exited).toEqual({ code: 0, signal: null });
      expect(child.log.at(-1)).toContain('"message":"stopped"');
      await expect(fetch(journey.url)).rejects.toThrow();
    }),
    LIMIT_MS,
  );
});

describe('kill -9 in front of Superset', () => {
  const play = (act: (scene: Scene) => Promise<void>) => scene(SUPERSET, ['analysts', 'team-a', 'team-b'], act);

  it.concurrent(
    'after the account was made and before it was recorded: taken up, nothing doubled, the grants are ours',
    play(async (scene) => {
      const { journey } = scene;
      await killDuring(journey, journey.superset, NEW_USER);
      expect(inSuperset(scene)).toMatchObject({ roles: ['Alpha', 'Gamma'], groups: ['team-a', 'team-b'] });
      await scene.logIn();
      expect(supersetPeople(journey.superset.state)).toEqual(['ann']);
      scene.says(['team-a']);
      await scene.logIn();
      expect(inSuperset(scene)).toMatchObject({ roles: ['Gamma'], groups: ['team-a'] });
    }),
    LIMIT_MS,
  );

  it.concurrent(
    'after a group was made and before the account: the account is made, and no group twice',
    play(async (scene) => {
      const { journey } = scene;
      await killDuring(journey, journey.superset, GROUP_CALL);
      expect(inSuperset(scene)).toBeUndefined();
      await scene.logIn();
      expect(inSuperset(scene)).toMatchObject({ roles: ['Alpha', 'Gamma'], groups: ['team-a', 'team-b'] });
      expect([...journey.superset.state.groups.values()].map(({ name }) => name).sort()).toEqual(['team-a', 'team-b']);
    }),
    LIMIT_MS,
  );
});
