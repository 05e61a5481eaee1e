import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { type Engines, planFor } from '../compose/engine.ts';
import { composeProviders } from '../compose/providers.ts';
import type { State } from '../compose/state.ts';
import { answersByRedirect } from '../login/provider.ts';
import { LatchgateError } from '../model/errors.ts';
import { adopt } from './adopt.ts';
import { apply } from './apply.ts';
import { auditList, auditVerify } from './audit.ts';
import { check } from './check.ts';
import { type ExplainOptions, explain } from './explain.ts';
import { EXIT_USAGE, reportFailure } from './failure.ts';
import type { Io } from './io.ts';
import { plan } from './plan.ts';
import { plansApprove, plansList, plansReject, plansShow } from './plans.ts';
import { schema } from './schema.ts';
import { type ScimCommandDeps, scimApprove, scimHeld, scimRevoke, scimToken, scimTokens } from './scim.ts';
import { serve } from './serve.ts';
import { sessionsEnd, sessionsList } from './sessions.ts';
import { syncsList, syncsRuns } from './syncs.ts';
import { type UsersChangeDeps, usersDisable, usersEnable, usersList, usersShow } from './users.ts';
import { type UsersLinkDeps, usersLink, usersRelease } from './users-link.ts';
import { why } from './why.ts';
import { withEngines, withState, withSyncs } from './with-state.ts';

/** What commander hands over; each command declares which of them it has. */
interface Options {
  readonly config: string;
  readonly json?: boolean;
  readonly all?: boolean;
  readonly user?: string;
  readonly id?: string;
  readonly since?: string;
  readonly origin?: string;
  readonly claims?: string;
  readonly token?: string;
  readonly target?: string;
  readonly out?: string;
  readonly markdown?: boolean;
  readonly detailedExitcode?: boolean;
  readonly plan?: string;
  readonly approve?: boolean;
  readonly apply?: boolean;
  readonly client?: string;
  readonly expires?: string;
}

type Work = (options: Options, args: readonly string[]) => Promise<number>;

/** Runs one command line (without node and script). Resolves to the exit code; never throws. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = new Command('latchgate')
    .description('A login gateway in front of analytics backends.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.err(text.trimEnd()) });
  const add = (parent: Command, spec: string, summary: string, work: Work): Command =>
    parent
      .command(spec)
      .summary(summary)
      .description(summary)
      .option(
        '--config <file>',
        'the configuration; $LATCHGATE_CONFIG names another default',
        io.env['LATCHGATE_CONFIG'] ?? './latchgate.yaml',
      )
      .action(async (...given: unknown[]) => {
        const own = given.at(-1) as Command;
        exitCode = await work(own.opts(), own.args);
      });
  addCommands(program, add, io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : EXIT_USAGE;
    return reportFailure(thrown, io);
  }
}

/** Of the nearest package above this file, wherever it is built to. */
function version(): string {
  for (const up of ['../..', '../../..']) {
    const file = join(import.meta.dirname, up, 'package.json');
    if (!existsSync(file)) continue;
    const { version: found } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
    if (found !== undefined) return found;
  }
  return 'unknown';
}

type Add = (parent: Command, spec: string, summary: string, work: Work) => Command;

const json = ['--json', 'for programs: stable JSON'] as const;

function group(program: Command, name: string, summary: string): Command {
  return program.command(name).summary(summary).description(summary).helpCommand(false);
}

function addCommands(program: Command, add: Add, io: Io): void {
  add(program, 'serve', 'run the gateway', (options) => serve(options, io));
  add(program, 'check', 'print every complaint about the configuration', (options) => check(options, io)).option(
    ...json,
  );
  add(program, 'schema', 'print the JSON Schema of the configuration', () => schema({}, io));
  add(program, 'explain', 'show what a person would get, and why', (options) => runExplain(options, io))
    .requiredOption('--origin <name>', 'the login that says it')
    .option('--claims <file>', 'claims as JSON; - is standard input')
    .option('--token <file>', 'a token of the provider, which is verified; - is standard input')
    .option('--target <name>', 'also the changes against what is there')
    .option(...json);
  add(program, 'why <id>', 'show the whole trace behind a request id', (options, [id]) =>
    withState(options, io, ({ directory }) => why(String(id), directory, io, options)),
  ).option(...json);

  addSyncCommands(program, add, io);
  addScimCommands(program, add, io);
  const audit = group(program, 'audit', 'what was done, by whom and why');
  add(audit, 'list', 'print the records, oldest first', (options) =>
    withState(options, io, ({ directory, audit: log, clock }) =>
      auditList(options, { ...directory, audit: log, clock }, io),
    ),
  )
    .option('--user <user>', 'of one person')
    .option('--since <time>', 'a date, or how long ago: 30d')
    .option(...json);
  add(audit, 'verify', 'walk the hash chain', (options) =>
    withState(options, io, (state) => auditVerify(state, io, options)),
  ).option(...json);

  const sessions = group(program, 'sessions', 'who is logged in');
  add(sessions, 'list', 'print the live sessions', (options) =>
    withState(options, io, (state) => sessionsList(options, { ...state.directory, ...state }, io)),
  ).option(...json);
  add(sessions, 'end', 'end sessions, on every instance', (options) =>
    withState(options, io, (state) => sessionsEnd(options, { ...state.directory, ...state }, io)),
  )
    .option('--user <user>', 'those of one person')
    .option('--id <id>', 'one session')
    .option('--all', 'every session')
    .option(...json);

  const users = group(program, 'users', 'people, their accounts and grants');
  add(users, 'list', 'print everybody', (options) =>
    withState(options, io, ({ directory }) => usersList(options, directory, io)),
  ).option(...json);
  add(users, 'show <user>', 'print one person whole', (options, [user]) =>
    withState(options, io, ({ directory }) => usersShow(String(user), options, directory, io)),
  ).option(...json);
  add(users, 'disable <user>', 'the way out, at once: sessions, then accounts', (options, [user]) =>
    withEngines(options, io, (engines) => usersDisable(String(user), options, changing(engines), io)),
  ).option(...json);
  add(users, 'enable <user>', 'let a disabled person log in again', (options, [user]) =>
    withEngines(options, io, (engines) => usersEnable(String(user), options, changing(engines), io)),
  ).option(...json);
  const linking = (state: State): UsersLinkDeps => ({ ...state.directory, ...state });
  add(
    users,
    'link <user> <other>',
    'say that the two are one person, who keeps the accounts of the first',
    (options, [user, other]) =>
      withState(options, io, (state) => usersLink(String(user), String(other), options, linking(state), io)),
  ).option(...json);
  add(
    users,
    'release <user>',
    'let go of the accounts of somebody who is out: they may be given to another',
    (options, [user]) => withState(options, io, (state) => usersRelease(String(user), options, linking(state), io)),
  )
    .option('--target <name>', 'in this target alone')
    .option(...json);
}

function addSyncCommands(program: Command, add: Add, io: Io): void {
  const markdown = ['--markdown', 'for a pull request or ticket'] as const;
  const all = ['--all', 'every person by themselves, however many'] as const;
  add(program, 'plan <name>', 'show what a sync would do, and write nothing', (options, [name]) =>
    withSyncs(options, io, (deps) => plan(String(name), options, deps, io)),
  )
    .option('--out <file>', 'also write the plan there, for apply --plan')
    .option(...json)
    .option(...markdown)
    .option(...all)
    .option('--detailed-exitcode', '10: something would change, 11: something is held');
  add(program, 'apply [name]', 'do what a sync would do', (options, [name]) =>
    withSyncs(options, io, (deps) => apply(name, options, deps, io)),
  )
    .option('--plan <file>', 'only this very plan, and only while it is true')
    .option('--approve', 'go on in spite of the brake')
    .option(...json);
  add(program, 'adopt', 'rebuild the ledger from rules and what targets have', (options) =>
    withSyncs(options, io, (deps) => adopt(options, deps, io)),
  )
    .option('--target <name>', 'of this target alone')
    .option('--apply', 'write what was shown')
    .option(...json);

  const plans = group(program, 'plans', 'plans that wait for a person');
  add(plans, 'list', 'print them, newest first', (options) =>
    withState(options, io, ({ directory }) => plansList(options, directory, io)),
  ).option(...json);
  add(plans, 'show <id>', 'print one whole', (options, [id]) =>
    withState(options, io, ({ directory }) => plansShow(String(id), options, directory, io)),
  )
    .option(...json)
    .option(...markdown)
    .option(...all);
  add(plans, 'approve <id>', 'apply it at once, if it is still true', (options, [id]) =>
    withSyncs(options, io, (deps) => plansApprove(String(id), options, deps, io)),
  ).option(...json);
  add(plans, 'reject <id>', 'drop it, and do not ask again', (options, [id]) =>
    withState(options, io, (state) => plansReject(String(id), options, { ...state.directory, ...state }, io)),
  ).option(...json);

  const syncs = group(program, 'syncs', 'the syncs of the configuration');
  add(syncs, 'list', 'print them, with their schedule and last run', (options) =>
    withState(options, io, ({ directory }, config) => syncsList(options, { ...directory, sync: config.sync }, io)),
  ).option(...json);
  add(syncs, 'runs <name>', 'print the last runs of one, newest first', (options, [name]) =>
    withState(options, io, ({ directory }, config) =>
      syncsRuns(String(name), options, { ...directory, sync: config.sync }, io),
    ),
  ).option(...json);
}

function addScimCommands(program: Command, add: Add, io: Io): void {
  const scim = group(program, 'scim', 'clients that push people and groups');
  const client = '--client <name>';
  type Run = (options: Options, deps: ScimCommandDeps, args: readonly string[]) => Promise<number>;
  const withDeps =
    (run: Run): Work =>
    (options, args) =>
      withState(options, io, (state, config) =>
        run(options, { ...state.directory, ...state, scim: config.scim }, args),
      );
  add(
    scim,
    'token',
    'make a token of a client, and print it this once',
    withDeps((o, deps) => scimToken(o, deps, io)),
  )
    .requiredOption(client, 'the client of the configuration')
    .option('--expires <time>', 'how long it holds: 90d, or a date')
    .option(...json);
  add(
    scim,
    'tokens',
    'print the tokens that were made so, never themselves',
    withDeps((o, deps) => scimTokens(o, deps, io)),
  )
    .option(client, 'those of one client')
    .option(...json);
  add(
    scim,
    'revoke <id>',
    'take a token no more',
    withDeps((o, deps, [id]) => scimRevoke(String(id), o, deps, io)),
  ).option(...json);
  add(
    scim,
    'held',
    'print whose accounts wait to be deleted',
    withDeps((o, deps) => scimHeld(o, deps, io)),
  ).option(...json);
  add(
    scim,
    'approve',
    'delete the accounts that wait',
    withDeps((o, deps) => scimApprove(o, deps, io)),
  )
    .requiredOption(client, 'the client that has let go of the people')
    .option(...json);
}

function changing({ state, engine }: Engines): UsersChangeDeps {
  return { ...state.directory, provisioner: engine, sessions: state.sessions };
}

/** `--claims` alone touches neither the state nor the network. */
function runExplain({ origin, ...rest }: Options, io: Io): Promise<number> {
  if (origin === undefined) throw new LatchgateError('usage', 'explain takes --origin NAME');
  const options: ExplainOptions = { ...rest, origin };
  if (rest.token === undefined && rest.target === undefined) return explain(options, io);
  return withEngines(options, io, (engines, config) =>
    explain(options, io, {
      verifyToken: async (name, token) => {
        const provider = (await composeProviders(config, engines.state, engines.metrics)).get(name);
        if (provider === undefined) throw new LatchgateError('login_unknown', 'no login of that name');
        if (!answersByRedirect(provider))
          throw new LatchgateError('usage', 'a login by SAML has no tokens: take --claims');
        return provider.verify(token, AbortSignal.timeout(30_000));
      },
      planFor: (decision, target, assertion) => planFor(engines, decision, target, assertion),
    }),
  );
}
