import type { Finding } from './complaint.ts';
import type { Checked, Declared } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

type SqlSource = Extract<Config['sources'][string], { readonly type: 'sql' }>;

/** Sources against logins, and who lists people against what `identity` says of them. */
export function checkSources({ sources = {}, identity }: Partial<Config>, declared: Declared): Checked {
  const complaints = Object.entries(sources).flatMap(([name, source]): Finding[] => [
    ...(declared.logins.has(name) ? [clash(name)] : []),
    ...(source.login === undefined || declared.logins.has(source.login)
      ? []
      : [unknownLogin(name, source.login, declared)]),
    ...(source.type === 'sql' ? withoutDatabase(name, source) : []),
  ]);
  const owner = identity?.owner;
  if (owner !== undefined && !ownersOf(declared).has(owner)) complaints.push(unknownOwner(owner, declared));
  return { complaints, warnings: [] };
}

/** Rules, the ledger and the audit say `origin`: one name has to be one thing. */
function clash(name: string): Finding {
  const message = `\`sources.${name}\` has the name of a login`;
  return { path: ['sources', name], at: 'key', code: 'duplicate_origin', message, hint: 'give it another one' };
}

function withoutDatabase(name: string, { url, driver, server, database }: SqlSource): readonly Finding[] {
  if (url !== undefined || (driver === 'sqlite' ? database : server) !== undefined) return [];
  const message = `\`sources.${name}\` says no database`;
  const hint = driver === 'sqlite' ? 'give url or database' : 'give url, or server with database, user and password';
  return [{ path: ['sources', name], at: 'key', code: 'missing_key', message, hint }];
}

function unknownLogin(name: string, login: string, declared: Declared): Finding {
  const meant = nearest(login, declared.logins);
  const hint = meant === undefined ? `the logins are ${[...declared.logins].join(', ')}` : `did you mean ${meant}?`;
  const message = `\`sources.${name}.login\` names no login of this file`;
  return { path: ['sources', name, 'login'], code: 'unknown_origin', message, hint };
}

/** Whoever can list people. */
function ownersOf({ sources, scimClients }: Declared): ReadonlySet<string> {
  return new Set([...sources, ...scimClients]);
}

function unknownOwner(owner: string, declared: Declared): Finding {
  const owners = ownersOf(declared);
  const meant = nearest(owner, owners);
  const kinds = declared.scimClients.size === 0 ? 'source' : 'source or SCIM client';
  const known =
    owners.size === 0 ? 'there are none' : `the ${kinds.replace(' or ', 's and ')}s are ${[...owners].join(', ')}`;
  const hint = meant === undefined ? known : `did you mean ${meant}?`;
  const message = `\`identity.owner\` names no ${kinds} of this file`;
  return { path: ['identity', 'owner'], code: 'unknown_origin', message, hint };
}
