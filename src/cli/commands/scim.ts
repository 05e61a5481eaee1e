import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { type ScimCommandDeps, scimApprove, scimHeld, scimRevoke, scimToken, scimTokens } from '../scim.ts';
import { withState } from '../with-state.ts';
import { type Add, group, json, type Options, type Work } from './add.ts';

/** `scim …`. */
export function addScimCommands(program: Command, add: Add, io: Io): void {
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
