import type { Command } from 'commander';
import { planFor } from '../../compose/engine.ts';
import { composeProviders } from '../../compose/providers.ts';
import { answersByRedirect } from '../../login/provider.ts';
import { LatchgateError } from '../../model/errors.ts';
import { backup } from '../backup.ts';
import { check } from '../check.ts';
import { doctor } from '../doctor.ts';
import { type ExplainOptions, explain } from '../explain.ts';
import type { Io } from '../io.ts';
import { preview } from '../preview.ts';
import { schema } from '../schema.ts';
import { stateCopy } from '../state-copy.ts';
import { why } from '../why.ts';
import { withEngines, withState } from '../with-state.ts';
import { type Add, group, json, type Options } from './add.ts';
import { addAuditCommands } from './audit.ts';
import { addDriftCommands } from './drift.ts';
import { addImportCommands } from './import.ts';
import { addPeopleCommands } from './people.ts';
import { addReviewCommands } from './review.ts';
import { addScimCommands } from './scim.ts';
import { addSyncCommands } from './syncs.ts';

/** Every command that is over in a moment. */
export function addCommands(program: Command, add: Add, io: Io): void {
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
