import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { contractFolder, Spec } from '../../emulators/gooddata/spec.ts';
import { projectRoot } from '../../services/project.ts';
import { account, changes, group, permission } from './organisation.ts';
import { startOrganisation } from './subject.ts';

const signal = AbortSignal.timeout(60_000);
const folder = contractFolder('gooddata');

/** Everything that the target does, once; what it sent. */
async function everything() {
  const organisation = await startOrganisation({
    seed: {
      groups: [{ id: 'old' }],
      users: [
        { id: 'ann', groups: ['old'] },
        { id: 'bea', groups: ['old'] },
      ],
      workspaces: [{ id: 'lab' }, { id: 'shop', parent: 'lab' }],
    },
    workspaces: { next: { '*': ['VIEW'], shop: ['EXPORT', 'ANALYZE'] } },
    givesPermissions: true,
  });
  const { target, emulator, close } = organisation;
  await target.read({ kind: 'all' }, signal);
  await target.read({ kind: 'person', lookup: { email: 'a@b.c', externalId: 'x', userNames: ['y'] } }, signal);
  await target.find([group('old'), permission('VIEW', 'lab')], signal);
  const gain = { add: [group('next'), permission('VIEW', 'lab')] };
  await target.apply(changes('new', { ...gain, create: [group('next')] }), signal);
  await target.prepare?.(signal);
  const people = [await account(organisation, 'ann'), await account(organisation, 'bea')];
  await target.applyMany?.(
    people.map((actual) => changes(actual, { ...gain, drop: [group('old')], profile: { email: 'x@y.z' } })),
    signal,
  );
  await target.apply(changes(await account(organisation, 'ann'), { drop: [permission('VIEW', 'lab')] }), signal);
  await target.apply(changes(await account(organisation, 'bea'), { remove: true }), signal);
  const requests = [...emulator.requests];
  await close();
  return requests;
}

const REPLACES = /\/layout\/(users|userGroups|usersAndUserGroups|workspaces\/[^/]+\/permissions)$/;

describe('what the target sends', () => {
  it('is answered without a refusal and never replaces a whole layout or entity', async () => {
    const requests = await everything();
    expect(requests.length).toBeGreaterThan(15);
    expect(requests.filter(({ status }) => status >= 400)).toEqual([]);
    expect(requests.filter(({ method }) => method === 'PUT')).toEqual([]);
    const written = requests.filter(({ method, path }) => method !== 'GET' && REPLACES.test(path));
    expect(written).toEqual([]);
  });

  it('has no way of its own to replace one', () => {
    const room = join(projectRoot(), 'src', 'targets', 'gooddata');
    const sources = readdirSync(room).map((file) => readFileSync(join(room, file), 'utf8'));
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((source) => /['"`]PUT['"`]/.test(source))).toEqual([]);
  });

  (folder === undefined ? it.skip : it)('has the shapes of the published description', async () => {
    const spec = new Spec(folder ?? '');
    const wrong = (await everything()).flatMap(({ method, path, body }) => {
      const media = path.includes('/entities/') ? 'application/vnd.gooddata.api+json' : 'application/json';
      const [plain = ''] = path.split('?');
      return spec.requestErrors(method, plain, media, body).map((error) => `${method} ${plain}: ${error}`);
    });
    expect(wrong).toEqual([]);
  });
});
