import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../services/child.ts';
import { cacheFolder } from '../../services/project.ts';
import { account, changes, group, permission } from '../../targets/gooddata/organisation.ts';
import { type Organisation, startOrganisation } from '../../targets/gooddata/subject.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from './server.ts';

const SDK = 'gooddata-sdk==1.78.*';

/** A Python with the vendor's SDK; made once and kept. Returns the interpreter. */
async function pythonWithSdk(): Promise<string> {
  const home = cacheFolder('gooddata-sdk');
  const python = join(home, 'bin', 'python');
  const have = async () => {
    const check = "from importlib.metadata import version; assert version('gooddata-sdk').startswith('1.78.')";
    return run('python', [python, '-c', check], { timeoutMs: 60_000 }).then(
      () => true,
      () => false,
    );
  };
  if (existsSync(python) && (await have())) return python;
  await mkdir(dirname(home), { recursive: true });
  await run('venv', ['python3', '-m', 'venv', '--clear', home], { timeoutMs: 120_000 });
  await run('pip', [python, '-m', 'pip', 'install', '--quiet', SDK], { timeoutMs: 600_000 });
  return python;
}

/** An organisation after the gateway's target gave a group and a person permissions, and took one of them back. */
async function provisioned(): Promise<Organisation> {
  const organisation = await startOrganisation({
    seed: { workspaces: [{ id: 'lab' }, { id: 'shop' }] },
    workspaces: { team: { '*': ['VIEW'], lab: ['ANALYZE'] } },
    givesPermissions: true,
  });
  const { target } = organisation;
  const signal = AbortSignal.timeout(60_000);
  const own = ['MANAGE', 'VIEW', 'EXPORT'].map((name) => permission(name, 'lab'));
  await target.apply(changes('dora', { create: [group('team')], add: [group('team'), ...own] }), signal);
  await target.apply(changes('emil'), signal);
  const [dora, emil] = [await account(organisation, 'dora'), await account(organisation, 'emil')];
  await target.applyMany?.(
    [changes(dora, { drop: [permission('MANAGE', 'lab')] }), changes(emil, { add: [group('team')] })],
    signal,
  );
  return organisation;
}

describe("the vendor's own Python client", () => {
  let emulator: GoodDataEmulator;
  // biome-ignore lint/suspicious/noExplicitAny: what a script printed, looked at member by member
  let seen: any;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  let gateway: any;

  beforeAll(async () => {
    const python = await pythonWithSdk();
    emulator = await startGoodDataEmulator({
      organization: 'acme',
      seed: { workspaces: [{ id: 'demo', name: 'Demo' }] },
    });
    const script = join(import.meta.dirname, 'vendor_client.py');
    const modulus = Buffer.alloc(256, 0xc5).toString('base64url');
    const output = await run('vendor client', [python, '-W', 'ignore', script, emulator.url, emulator.token, modulus], {
      timeoutMs: 120_000,
      env: { NO_PROXY: '*', no_proxy: '*' },
    });
    seen = JSON.parse(output.split('\n').at(-1) ?? '');
    const organisation = await provisioned();
    const look = join(import.meta.dirname, 'vendor_look.py');
    const { url, token } = organisation.emulator;
    const looked = await run('vendor client', [python, '-W', 'ignore', look, url, token], {
      timeoutMs: 120_000,
      env: { NO_PROXY: '*', no_proxy: '*' },
    }).finally(() => organisation.close());
    gateway = JSON.parse(looked.split('\n').at(-1) ?? '');
  }, 900_000);
  afterAll(() => emulator?.close());

  it('creates, replaces, lists and deletes users and groups', () => {
    expect(seen.people).toEqual({
      created: {
        id: 'alice',
        email: 'alice@example.org',
        name: ['Alice', 'Liddell'],
        authenticationId: 'auth0|alice',
        groups: ['sales'],
      },
      updated: {
        id: 'alice',
        email: 'new@example.org',
        name: [null, null],
        authenticationId: null,
        groups: ['sales', 'sales-eu'],
      },
      users: ['admin', 'alice', 'more-0', 'more-1', 'more-2'],
      groups: { adminGroup: [], sales: [], 'sales-eu': ['sales'] },
      gone: 404,
      unknownGroup: 400,
      token: true,
      tokens: ['t1'],
    });
  });

  it('gives, reads and takes permissions', () => {
    expect(seen.permissions).toEqual({
      layout: [
        ['sales', 'VIEW'],
        ['alice', 'MANAGE'],
      ],
      managed: [['demo', ['ANALYZE'], ['VIEW']]],
      assigned: ['ANALYZE'],
      revoked: [],
      organization: [
        ['adminGroup', 'MANAGE'],
        ['adminGroup', 'SELF_CREATE_TOKEN'],
      ],
    });
  });

  it('registers and removes keys and settings, and finds the organization through the redirect', () => {
    expect(seen.organization).toEqual({
      keys: ['gw-2'],
      settings: [['jit', 'JIT_PROVISIONING']],
      organizationId: 'acme',
    });
    expect(emulator.state.organization.attributes['name']).toBe('Wonderland');
  });

  it('loads a whole layout and stores it again without those who left', () => {
    expect(seen.layouts).toEqual({ left: ['admin', 'alice'] });
  });

  it('sees what the target of the gateway gave, and what it took', () => {
    expect(gateway).toEqual({
      group: [
        ['lab', ['ANALYZE'], ['VIEW']],
        ['shop', [], ['VIEW']],
      ],
      person: [['lab', ['EXPORT', 'VIEW'], []]],
      layout: [
        ['dora', 'EXPORT'],
        ['dora', 'VIEW'],
        ['team', 'ANALYZE'],
      ],
      members: ['dora', 'emil'],
    });
  });

  it('was never answered with a failure of the emulator', () => {
    expect(emulator.requests.filter(({ status }) => status === 0 || status >= 500)).toEqual([]);
  });
});
