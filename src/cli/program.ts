import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { planFor } from '../compose/engine.ts';
import { composeProviders } from '../compose/providers.ts';
import { answersByRedirect } from '../login/provider.ts';
import { LatchgateError } from '../model/errors.ts';
import { backup } from './backup.ts';
import { check } from './check.ts';
import { type Add, group, json, type Options, type Work } from './commands/add.ts';
import { addAuditCommands } from './commands/audit.ts';
import { addDriftCommands } from './commands/drift.ts';
import { addImportCommands } from './commands/import.ts';
import { addPeopleCommands } from './commands/people.ts';
import { addReviewCommands } from './commands/review.ts';
import { addScimCommands } from './commands/scim.ts';
import { addSyncCommands } from './commands/syncs.ts';
import { doctor } from './doctor.ts';
import { type ExplainOptions, explain } from './explain.ts';
import { EXIT_USAGE, reportFailure } from './failure.ts';
import type { Io } from './io.ts';
import { preview } from './preview.ts';
import { schema } from './schema.ts';
import { serve } from './serve.ts';
import { stateCopy } from './state-copy.ts';
import { why } from './why.ts';
import { withEngines, withState } from './with-state.ts';

/** Runs one command line (without node and script). Resolves to the exit code; never throws. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = new Command('latchgate')
    .description('A login gateway in front of analytics backends.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand(false)
    // `drift` is a command, and has commands: options that stand behind one of those are that one's.
    .enablePositionalOptions()
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

function addCommands(program: Command, add: Add, io: Io): void {
  add(program, 'serve', 'run the gateway', (options) => serve(options, io));
  add(program, 'check', 'print every complaint about the configuration', (options) => check(options, io)).option(
    ...json,
  );
  add(program, 'doctor', 'try the wiring, and say what is wrong and how to put it right', (options) =>
    doctor(options, io),
  )
    .option('--ignore <codes>', 'findings that are known, separated by commas')
    .option(...json);
  add(program, 'schema', 'print the JSON Schema of the configuration', () => schema({}, io));
  add(program, 'explain', 'show what a person would get, and why', (options) => runExplain(options, io))
    .requiredOption('--origin <name>', 'the login that says it')
    .option('--claims <file>', 'claims as JSON; - is standard input')
    .option('--token <file>', 'a token of the provider, which is verified; - is standard input')
    .option('--target <name>', 'also the changes against what is there')
    .option(...json);
  const state = group(program, 'state', 'the state database');
  add(state, 'copy', 'copy a SQLite state into the empty database of another configuration', (options) =>
    stateCopy({ ...options, next: String(options.new) }, io),
  )
    .requiredOption('--new <file>', 'the configuration whose state database it goes to')
    .option(...json);
  add(program, 'preview', 'show who gains, loses or is shut out by another configuration', (options) =>
    preview({ ...options, next: String(options.new) }, io),
  )
    .requiredOption('--new <file>', 'the configuration that is to go live')
    .option('--since <time>', 'only people of whom somebody has spoken since: a date, or how long ago: 30d')
    .option(...json)
    .option('--markdown', 'for a pull request')
    .option('--all', 'everybody by name, however many');
  add(program, 'why <id>', 'show the whole trace behind a request id', (options, [id]) =>
    withState(options, io, ({ directory }) => why(String(id), directory, io, options)),
  ).option(...json);

  addImportCommands(program, add, io);
  add(
    program,
    'backup',
    'copy the SQLite database of the state while it is in use',
    ({ config, out = '', json: asJson }) =>
      backup({ config, out, ...(asJson === undefined ? {} : { json: asJson }) }, io),
  )
    .requiredOption('--out <file>', 'a file that is not there yet')
    .option(...json);

  addSyncCommands(program, add, io);
  addReviewCommands(program, add, io);
  addDriftCommands(program, add, io);
  addScimCommands(program, add, io);
  addAuditCommands(program, add, io);
  addPeopleCommands(program, add, io);
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
