import { joinDeployment } from '../../src/compose/deployment.ts';
import type { State } from '../../src/compose/state.ts';
import type { Config } from '../../src/config/schema.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { sqliteState, type State as TestState } from '../conformance/state.ts';

const [FIRST, SECOND, THIRD] = ['first', 'second', 'third'].map((word) => `${word} secret of a test, long enough`);

describe('session.secrets of several instances', () => {
  let state: TestState;
  beforeEach(async () => {
    state = await sqliteState();
  });
  afterEach(() => state.dispose());

  /** Starts one more instance; gives what it warned of. */
  async function join(...secrets: (string | undefined)[]): Promise<readonly string[]> {
    const warnings: string[] = [];
    const directory = createDirectory(await state.open(), state.clock);
    const log = { warn: (message: string) => void warnings.push(message) };
    const config = { session: { secrets, store: 'embedded' }, login: { staff: {} }, targets: {} } as unknown as Config;
    await joinDeployment(config, { directory, log } as unknown as State);
    return warnings;
  }

  it('that are the same start without a word', async () => {
    expect(await join(FIRST)).toEqual([]);
    expect(await join(FIRST)).toEqual([]);
    expect(await join(FIRST, SECOND)).toEqual([]);
  });

  it('of which none is known are refused, and stay unknown', async () => {
    await join(FIRST);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(join(SECOND)).rejects.toMatchObject({ code: 'session_secrets_differ' });
    }
    expect(await join(FIRST)).toEqual([]);
  });

  it('rotate without a warning when the new one is second first, and first second', async () => {
    await join(FIRST);
    expect(await join(FIRST, SECOND)).toEqual([]);
    expect(await join(SECOND, FIRST)).toEqual([]);
    expect(await join(SECOND)).toEqual([]);
    await expect(join(FIRST)).rejects.toMatchObject({ code: 'session_secrets_differ' });
  });

  it('that begin with one that the others lack, or lack the one with which the others begin: a warning', async () => {
    await join(FIRST);
    expect(await join(SECOND, FIRST)).toHaveLength(1);
    expect(await join(FIRST, THIRD)).toHaveLength(1);
  });

  it('agree on one list when everybody starts at once', async () => {
    const starts = await Promise.all(Array.from({ length: 8 }, (_, at) => join(FIRST, at % 2 ? SECOND : THIRD)));
    expect(starts.flat()).toEqual([]);
  });

  it('leave nothing in the database by which they could be used', async () => {
    await join(FIRST, SECOND);
    const database = await state.open();
    const rows = await database.run((db) => db.selectFrom('state_values').selectAll().execute());
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain('secret of a test');
  });
});
