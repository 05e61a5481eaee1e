import type { Command } from 'commander';
import { composeBreakGlass } from '../../compose/break-glass.ts';
import type { Engines } from '../../compose/engine.ts';
import type { State } from '../../compose/state.ts';
import type { Config } from '../../config/schema.ts';
import { mappingConfigOf } from '../../mapping/config.ts';
import { compileMapping } from '../../mapping/mapping.ts';
import { type BreakGlassCommandDeps, breakGlass } from '../break-glass.ts';
import type { Io } from '../io.ts';
import { sessionsEnd, sessionsList } from '../sessions.ts';
import { type UsersChangeDeps, usersDisable, usersEnable, usersList } from '../users.ts';
import { type UsersLinkDeps, usersLink, usersRelease } from '../users-link.ts';
import { type UsersShowDeps, usersShow } from '../users-show.ts';
import { usersUnlink } from '../users-unlink.ts';
import { withEngines, withState } from '../with-state.ts';
import { type Add, group, json } from './add.ts';

/** `sessions …`, `users …`. */
export function addPeopleCommands(program: Command, add: Add, io: Io): void {
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

  add(program, 'break-glass <user>', 'let one known person in once, while the provider is down', (options, [user]) =>
    withState(options, io, (state, config) => breakGlass(String(user), options, emergency(state, config), io)),
  )
    .requiredOption('--reason <text>', 'why, for the audit')
    .option('--session <time>', 'how long the session may be', '1h')
    .option(...json);

  const users = group(program, 'users', 'people, their accounts and grants');
  add(users, 'list', 'print everybody', (options) =>
    withState(options, io, ({ directory }) => usersList(options, directory, io)),
  ).option(...json);
  add(users, 'show <user>', 'print one person whole', (options, [user]) =>
    withState(options, io, (state, config) => usersShow(String(user), options, showing(state, config), io)),
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
    'unlink <user> <subject>',
    'say that they are two people: the subject, as users show has it, becomes one of its own',
    (options, [user, subject]) =>
      withEngines(options, io, ({ state, targets }) => {
        const deps = { ...linking(state), pins: state.directory.pins, targets: targets.keys() };
        return usersUnlink(String(user), String(subject), options, deps, io);
      }),
  )
    .option('--origin <name>', 'where two doors call the person alike')
    .option(...json);
  add(
    users,
    'release <user>',
    'let go of the accounts of somebody who is out: they may be given to another',
    (options, [user]) => withState(options, io, (state) => usersRelease(String(user), options, linking(state), io)),
  )
    .option('--target <name>', 'in this target alone')
    .option(...json);
}

function emergency(state: State, config: Config): BreakGlassCommandDeps {
  const links = composeBreakGlass(config, state);
  return { ...state.directory, ...state, links, logins: Object.keys(config.login), publicUrl: config.public_url };
}

function changing({ state, engine }: Engines): UsersChangeDeps {
  return { ...state.directory, provisioner: engine, sessions: state.sessions };
}

function showing({ directory, audit }: State, config: Config): UsersShowDeps {
  const mapping = mappingConfigOf(config);
  const origins = new Set(Object.keys(mapping.origins));
  return { ...directory, audit, mapping: compileMapping(mapping), targets: Object.keys(config.targets), origins };
}
