import type { Finding } from './complaint.ts';
import type { Checked, Declared } from './declared.ts';
import type { Config } from './schema.ts';

/** Targets whose `user_name` is, by default, what each door calls people in its own way. */
const BY_PREFERRED_NAME: ReadonlySet<string> = new Set(['superset', 'scim']);

/**
 * New accounts of people to whom many doors lead, in a target that does not say which attribute names them. One login with
 * one source or SCIM client of its people, and doors whose people never meet, are no reason to warn.
 */
export function checkUserNames({ targets = {}, ...config }: Partial<Config>, declared: Declared): Checked {
  const doors = doorsToOnePerson(config, declared);
  if (doors.length === 0) return { complaints: [], warnings: [] };
  const open = Object.entries(targets).filter(
    ([, { type, user_name }]) => BY_PREFERRED_NAME.has(type) && user_name === undefined,
  );
  return { complaints: [], warnings: open.map(([name]) => byFirstDoor(name, doors)) };
}

/** The first doors of the file that may lead to one person; none where they are too few to speak of. */
function doorsToOnePerson({ sources = {}, scim, identity }: Partial<Config>, declared: Declared): readonly string[] {
  const listing = [...Object.entries(sources), ...Object.entries(scim?.clients ?? {})];
  const ofLogin = (login: string) => listing.flatMap(([name, one]) => (one.login === login ? [name] : []));
  const ofNone = listing.flatMap(([name, one]) => (one.login === undefined ? [name] : []));
  const joined = [...declared.logins, ...ofNone];
  if (identity?.join === 'verified_email' && joined.length > 1) return joined;
  const one = [...declared.logins].find((login) => ofLogin(login).length > 1);
  return one === undefined ? [] : [one, ...ofLogin(one)];
}

function byFirstDoor(target: string, doors: readonly string[]): Finding {
  const message = `\`targets.${target}\` has no user_name: somebody whom ${doors.join(', ')} bring is called there as the first of these says, for good`;
  const hint = 'name an attribute that all of them send alike: user_name: [email] or [external_id]';
  return { path: ['targets', target], at: 'key', code: 'user_name_of_first_door', message, hint };
}
