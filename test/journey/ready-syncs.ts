import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { type Auth0Emulator, type Auth0EmulatorOptions, startAuth0Emulator } from '../emulators/auth0/server.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import type { Seed as GoodDataSeed } from '../emulators/gooddata/state.ts';
import { projectRoot } from '../services/project.ts';

const CONNECTION = 'Username-Password-Authentication';
const WORKSPACE = 'sales';

/** A row of the company's table of people. */
export interface Row {
  readonly email: string | null;
  readonly role?: string | null;
  readonly given_name?: string;
  readonly family_name?: string;
}

export type ReadyConfig = 'sql-to-auth0' | 'auth0-to-gooddata';

export interface ReadySyncsOptions {
  readonly auth0?: Auth0EmulatorOptions;
  readonly gooddata?: GoodDataSeed;
  /** Further variables of the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The two configs as they are delivered, on emulators and a table in SQLite, told where these are by the environment. */
export interface ReadySyncs {
  readonly folder: string;
  readonly auth0: Auth0Emulator;
  readonly gooddata: GoodDataEmulator;
  readonly env: Readonly<Record<string, string>>;
  /** Replaces the table. */
  people(rows: readonly Row[]): void;
  /** What a process of its own needs to run one of them: words of its command line, and variables. */
  process(
    config: ReadyConfig,
    words: readonly string[],
  ): { readonly words: readonly string[]; readonly env: Readonly<Record<string, string>> };
  /** One command line; resolves to its exit code. */
  command(config: ReadyConfig, words: readonly string[], io: Omit<Io, 'env'>): Promise<number>;
  close(): Promise<void>;
}

export async function startReadySyncs(options: ReadySyncsOptions = {}): Promise<ReadySyncs> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-syncs-'));
  const seed = { roles: [{ name: 'Admin' }, { name: 'User' }], ...options.auth0?.seed };
  const auth0 = await startAuth0Emulator({ ...options.auth0, seed });
  const gooddata = await startGoodDataEmulator({ seed: { workspaces: [{ id: WORKSPACE }], ...options.gooddata } });
  const table = join(folder, 'people.db');
  const env = {
    AUTH0_URL: auth0.url,
    AUTH0_CLIENT_ID: 'emulator-client',
    AUTH0_CLIENT_SECRET: 'emulator-secret',
    AUTH0_CONNECTION: CONNECTION,
    AUTH0_SECRET: 'emulator-secret',
    USERS_DB_URL: `sqlite:${table}`,
    USERS_DB_QUERY: 'select email, role, given_name, family_name from users',
    GOODDATA_HOST: gooddata.url,
    GOODDATA_TOKEN: gooddata.token,
    GOODDATA_WORKSPACE_ID: WORKSPACE,
    ...options.env,
  };
  const processOf: ReadySyncs['process'] = (config, words) => {
    const file = join(folder, `${config}.yaml`);
    writeFileSync(file, configText(config, auth0.url));
    return {
      words: [...words, '--config', file],
      env: { ...env, STATE_DATABASE: `sqlite:${join(folder, `${config}.db`)}` },
    };
  };
  return {
    folder,
    auth0,
    gooddata,
    env,
    people: (rows) => fillTable(table, rows),
    process: processOf,
    command: (config, words, io) => {
      const { words: all, env: variables } = processOf(config, words);
      return run(all, { ...io, env: variables });
    },
    close: async () => {
      await auth0.close();
      await gooddata.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As delivered, but for the one address that is written as https there: the emulator has no certificate. */
function configText(name: ReadyConfig, auth0: string): string {
  const text = readFileSync(join(projectRoot(), 'config', `${name}.yaml`), 'utf8');
  return text.replace('https://${AUTH0_DOMAIN}', auth0);
}

function fillTable(file: string, rows: readonly Row[]): void {
  const database = new Libsql(file);
  try {
    database.exec(
      'drop table if exists users; create table users (email text, role text, given_name text, family_name text)',
    );
    const insert = database.prepare('insert into users values (?, ?, ?, ?)');
    for (const { email, role = null, given_name: given = null, family_name: family = null } of rows) {
      insert.run(email, role, given, family);
    }
  } finally {
    database.close();
  }
}
