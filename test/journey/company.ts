import type { State as GoodDataState } from '../emulators/gooddata/state.ts';
import type { EmulatedPerson } from '../emulators/oidc/provider.ts';
import { roleNames, type State as SupersetState, type UserRow } from '../emulators/superset/state.ts';

export const CLIENT_ID = 'latchgate-journey';
export const CLIENT_SECRET = 'a secret that only tests know';
/** The claim by which GoodData itself knows groups: one name with dots in it. */
export const GROUPS = 'urn.gooddata.user_groups';

export type Sections = Readonly<Record<string, string>>;

const TARGETS = {
  gooddata: `
  gooddata:
    type: gooddata
    url: "\${GOODDATA_URL}"
    token: "\${GOODDATA_TOKEN}"
    timeout: 10s`,
  superset: `
  superset:
    type: superset
    url: "\${SUPERSET_URL}"
    timeout: 10s`,
};

const COMPANY: Sections = {
  version: '1',
  public_url: '"${GATEWAY_URL}"',
  listen: '"${GATEWAY_LISTEN}"',
  admin_listen: '127.0.0.1:0',
  log: '{ level: debug }',
  state: '{ database: "sqlite:./latchgate.db" }',
  session: '{ secrets: ["only for tests, and long enough for the rule"] }',
  login: `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${CLIENT_ID}
    client_secret: ${CLIENT_SECRET}
    email_domains: [acme.test]`,
};

/** GoodData alone: every group is given under its own name. */
export const GOODDATA: Sections = {
  rules: `
  same-name:
    when: { groups: "*" }
    grant: { gooddata: { groups: ["\${match}"] } }`,
  default: '{ grant: { gooddata: {} } }',
  targets: TARGETS.gooddata,
  routes: '[{ path: /, to: gooddata }]',
};

/** Superset alone: a role for analysts, groups under their own names, and a role that everybody has. */
export const SUPERSET: Sections = {
  rules: `
  analysts:
    when: { groups: analysts }
    grant: { superset: { roles: [Alpha] } }
  same-name:
    when: { groups: "team-*" }
    grant: { superset: { groups: ["\${match}"] } }
  everybody:
    grant: { superset: { roles: [Gamma] } }`,
  targets: TARGETS.superset,
  routes: '[{ path: /, to: superset }]',
};

/** Both: Superset below /superset, GoodData everywhere else. */
export const BOTH: Sections = {
  rules: `
  same-name:
    when: { groups: "*" }
    grant: { gooddata: { groups: ["\${match}"] }, superset: { groups: ["\${match}"] } }
  everybody:
    grant: { superset: { roles: [Gamma] }, gooddata: {} }`,
  targets: TARGETS.gooddata + TARGETS.superset,
  routes: '[{ path: /superset, to: superset }, { path: /, to: gooddata }]',
};

/** The config as text; what `sections` has takes the place of the company's, GoodData alone by default. */
export function configText(sections: Sections = {}): string {
  const base = 'targets' in sections ? {} : GOODDATA;
  const all: Sections = { ...COMPANY, ...base, ...sections };
  return Object.entries(all)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
}

/** Somebody of the company. `claims` are on top of the usual ones; undefined takes one away. */
export function person(sub: string, claims: Readonly<Record<string, unknown>> = {}): EmulatedPerson {
  return { sub, label: sub, claims: claimsOf(sub, claims) };
}

export function claimsOf(sub: string, claims: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const name = sub.replace(/^.*\|/, '');
  const usual = {
    given_name: name.charAt(0).toUpperCase() + name.slice(1),
    family_name: 'Adams',
    email: `${name}@acme.test`,
    email_verified: true,
    preferred_username: name,
  };
  return Object.fromEntries(Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined));
}

/** A GoodData user as one looks at it: attributes, and groups in the alphabet. */
export function gooddataUser(state: GoodDataState, id: string) {
  const user = state.users.get(id);
  if (user === undefined) return undefined;
  const groups = (user.relationships['userGroups'] ?? []).map((group) => group.id).sort();
  return { id, ...user.attributes, groups };
}

/** Everybody in GoodData but the administrator. */
export function gooddataPeople(state: GoodDataState): string[] {
  return [...state.users.keys()].filter((id) => id !== 'admin').sort();
}

/** The record itself, to change it as an administrator would. Throws when there is none. */
export function supersetRow(state: SupersetState, username: string): UserRow {
  const user = [...state.users.values()].find((one) => one.username === username);
  if (user === undefined) throw new Error(`Superset has no ${username}`);
  return user;
}

export function roleId(state: SupersetState, name: string): number {
  const role = [...state.roles.values()].find((one) => one.name === name);
  if (role === undefined) throw new Error(`Superset has no role ${name}`);
  return role.id;
}

/** A Superset user as one looks at it: names instead of numbers. */
export function supersetUser(state: SupersetState, username: string) {
  const user = [...state.users.values()].find((one) => one.username === username);
  if (user === undefined) return undefined;
  const { id, first_name, last_name, email, active } = user;
  const groups = user.groups.map((group) => state.groups.get(group)?.name ?? '').sort();
  return { id, username, first_name, last_name, email, active, roles: roleNames(state, user).sort(), groups };
}

/** Everybody in Superset but the administrator and the gateway's own account. */
export function supersetPeople(state: SupersetState): string[] {
  return [...state.users.values()]
    .map((user) => user.username)
    .filter((name) => !['admin', 'latchgate'].includes(name));
}
