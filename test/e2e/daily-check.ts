import type { RunningKeycloak } from '../services/keycloak.ts';
import { latchgate } from './command.ts';
import type { SupersetAccount, SupersetAdmin } from './superset-admin.ts';

export interface DailyCheckStage {
  readonly keycloak: RunningKeycloak;
  readonly superset: SupersetAdmin;
  /** Of the running gateway, which knows neither source nor sync. */
  readonly config: string;
  /** Writes a file beside it, and says where. */
  write(name: string, text: string): string;
}

const CLIENT = { id: 'latchgate-daily', secret: 'a secret of the daily check' };
const SYNC = 'realm-to-superset';
const CLERKS = ['zoe', 'yann', 'xenia', 'wim'];

/** The realm is read once a day, and whoever is in Superset is still in it, or out of both. */
export function describeDailyCheck(stage: () => DailyCheckStage): void {
  describe('a daily sync from Keycloak', () => {
    let file: string;
    beforeAll(async () => {
      const { keycloak, config, write } = stage();
      await keycloak.admin.createServiceAccount(CLIENT.id, CLIENT.secret, [
        'view-users',
        'query-groups',
        'query-users',
      ]);
      for (const username of CLERKS) {
        const email = `${username}@acme.test`;
        await keycloak.admin.createUser({ username, password: 'x', email, firstName: username, groups: ['/User'] });
      }
      file = write('daily.yaml', daily(config, keycloak.issuer, CLIENT.secret));
    }, 120_000);

    const accounts = async (...names: string[]): Promise<Record<string, Partial<SupersetAccount> | undefined>> => {
      const found = await Promise.all(names.map((name) => stage().superset.find(`${name}@acme.test`)));
      return Object.fromEntries(names.map((name, at) => [name, found[at]?.[0]]));
    };
    const isSettled = async (): Promise<void> => {
      const second = await latchgate(file, 'plan', SYNC, '--detailed-exitcode', '--json');
      expect({ code: second.code, err: second.err }).toEqual({ code: 0, err: '' });
      expect(JSON.parse(second.out)).toMatchObject({ complete: true, changes: [], held: [] });
    };

    it('makes accounts for those of the realm who were never here, and for nobody who is refused or disabled', async () => {
      const byHand = await stage().superset.account('admin');
      const before = await accounts('alice', 'bob', 'carol');
      const done = await latchgate(file, 'apply', SYNC, '--approve');
      expect({ code: done.code, err: done.err }).toMatchObject({ code: 0 });
      const clerk = { active: true, roles: ['Gamma', 'sql_lab'], groups: ['readers'] };
      expect(await accounts('alice', 'bob', 'carol')).toEqual(before);
      expect(await accounts('dave', 'erin', ...CLERKS)).toMatchObject({
        dave: clerk,
        erin: undefined,
        ...Object.fromEntries(CLERKS.map((name) => [name, { ...clerk, first_name: name }])),
      });
      expect(await stage().superset.account('admin')).toEqual(byHand);
      await isSettled();
    }, 120_000);

    it('follows who moved, and lets go of who was disabled or is not there any more', async () => {
      const { keycloak } = stage();
      await keycloak.admin.setUserGroups('wim', ['/Admin']);
      await keycloak.admin.disableUser('yann');
      await keycloak.admin.deleteUser('zoe');
      const untouched = await accounts('bob', 'carol', 'dave', 'xenia');
      const done = await latchgate(file, 'apply', SYNC, '--approve');
      expect({ code: done.code, err: done.err }).toMatchObject({ code: 0 });
      expect(await accounts('wim', 'yann', 'zoe')).toMatchObject({
        wim: { active: true, roles: ['Alpha', 'sql_lab'], groups: ['builders'] },
        yann: { active: false },
        zoe: { active: false },
      });
      expect(await accounts('bob', 'carol', 'dave', 'xenia')).toEqual(untouched);
      await isSettled();
      const zoe = await latchgate(file, 'users', 'show', 'zoe@acme.test');
      expect(zoe).toMatchObject({ code: 0, out: expect.stringContaining('left') });
    }, 120_000);

    it('takes nothing from anybody when the realm does not let it read', async () => {
      const { keycloak, config, write } = stage();
      const wrong = write('wrong.yaml', daily(config, keycloak.issuer, 'not its secret'));
      const before = await accounts('bob', 'carol', 'dave', 'xenia', 'wim');
      const failed = await latchgate(wrong, 'apply', SYNC, '--approve');
      expect({ code: failed.code, err: failed.err }).toEqual({
        code: 1,
        err: expect.stringMatching(/^source_refused: /m),
      });
      expect(await accounts('bob', 'carol', 'dave', 'xenia', 'wim')).toEqual(before);
    }, 60_000);
  });
}

function daily(config: string, realm: string, secret: string): string {
  return `${config}
sources:
  realm: { type: keycloak, url: "${realm}", client_id: ${CLIENT.id}, client_secret: ${secret}, login: keycloak }
sync:
  ${SYNC}: { from: realm, to: superset }
`;
}
