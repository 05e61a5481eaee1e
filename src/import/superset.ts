import { exactly, type Literal, leavesOf, type Option, plainFlag, plainText, plainTexts } from './literals.ts';
import { type Made, Migration, type Sections } from './migration.ts';
import { nameOf } from './names.ts';
import { readPython } from './python.ts';
import { OVERWRITTEN, PythonOptions } from './python-options.ts';
import { readRolePath } from './role-path.ts';
import { roleRules, type When } from './role-rules.ts';
import { closedLogins, supersetLogins } from './superset-logins.ts';
import { LEFT, LEFT_PREFIXES } from './superset-unmatched.ts';

const TARGET = 'superset';
const ADMIN = 'Admin';

const STAYS = 'not about who logs in: it stays in superset_config.py';

/** `superset_config.py` to a config of ours. `file`: its name for comments. Never throws. */
export function importSuperset(text: string, file: string): Made {
  const options = readPython(text).map(overwritten);
  const migration = new Migration(TARGET, file, options.flatMap(partsOf));
  const superset = new SupersetImport(migration, new PythonOptions(options));
  const sections = superset.sections();
  for (const name of migration.unspoken()) speakFor(migration, name);
  return migration.finish(sections);
}

/** Keys of what is not about logins may be secrets themselves: of that the name is enough. */
function partsOf(option: Option): readonly Option[] {
  return /^(?:AUTH|OAUTH|SAML|OPENID)_\w*$/.test(option.name) ? leavesOf(option) : [option];
}

/** Of several lines with one name the last counts. */
function overwritten(option: Option, index: number, all: readonly Option[]): Option {
  const isLast = all.findLastIndex(({ name }) => name === option.name) === index;
  return isLast ? option : { ...option, name: `${option.name} ${OVERWRITTEN}` };
}

function speakFor(migration: Migration, name: string): void {
  const known = Object.keys(LEFT).find(
    (one) => name === one || name.startsWith(`${one}.`) || name.startsWith(`${one}[`) || name.startsWith(`${one} `),
  );
  const prefix = LEFT_PREFIXES.find(([start]) => name.startsWith(start));
  if (name.endsWith(OVERWRITTEN)) migration.aside(name, 'a line further down takes its place');
  else if (/^(?:AUTH|OAUTH)\w* \W/.test(name))
    migration.left(name, 'changed by code, which was not run: carry it over by hand');
  else if (name.startsWith('OAUTH_PROVIDERS'))
    migration.left(name, 'see whether it limits who gets in; nothing here corresponds to it');
  else if (known !== undefined) migration.left(name, LEFT[known] ?? '');
  else if (prefix !== undefined) migration.left(name, prefix[1]);
  else migration.aside(name, STAYS);
}

type Rules = Record<
  string,
  | { when?: When; grant: { superset: { roles: readonly string[] } } }
  | { readonly when: { readonly origin: string }; readonly deny: string }
>;

class SupersetImport {
  readonly #migration: Migration;
  readonly #options: PythonOptions;
  readonly #rules: Rules = {};
  readonly #claims: Record<string, string> = {};
  #hasMapping = false;
  #default: unknown;

  constructor(migration: Migration, options: PythonOptions) {
    this.#migration = migration;
    this.#options = options;
  }

  sections(): Sections {
    const migration = this.#migration;
    migration.todo('public_url: the address that people will see.');
    migration.todo(
      'targets.superset.url: where Superset is, reachable by the gateway alone; its other half is in docs/superset.md.',
    );
    const login = supersetLogins(migration, this.#options);
    this.#mapping();
    Object.assign(this.#rules, closedLogins(migration, this.#options));
    const isOpen = this.#registration();
    this.#sync();
    for (const entry of Object.values(login))
      if (Object.keys(this.#claims).length > 0)
        Object.assign(entry, { claims: { ...this.#claims, ...(entry['claims'] as object | undefined) } });
    return {
      version: 1,
      public_url: '${PUBLIC_URL:-https://bi.example.com}',
      session: { secrets: ['${file:/run/secrets/session}'] },
      login,
      rules: this.#rules,
      ...(this.#default === undefined ? {} : { default: this.#default }),
      targets: {
        [TARGET]: {
          type: 'superset',
          url: '${SUPERSET_URL:-http://superset:8088}',
          ...(isOpen ? {} : { missing: { users: 'refuse' } }),
        },
      },
      routes: [
        { path: '/health', to: TARGET, public: true, methods: ['GET'] },
        { path: '/', to: TARGET },
      ],
      safety: { privileged: [`${TARGET}:role:${ADMIN}`], never_touch: ['admin'] },
    };
  }

  /** Each key that fits gives its roles, and all of them add up: as rules do. */
  #mapping(): void {
    const mapping = this.#options.find('AUTH_ROLES_MAPPING');
    if (mapping === undefined) return;
    if (mapping.kind !== 'map') {
      this.#hasMapping = true;
      this.#migration.left('AUTH_ROLES_MAPPING', 'made by code: write a rule for each group');
      return;
    }
    this.#hasMapping = mapping.entries.length > 0;
    const last = new Map(mapping.entries.map((entry) => [entry.key, entry]));
    for (const [group, { value, line }] of last) {
      const option = this.#migration
        .named('AUTH_ROLES_MAPPING')
        .find((one) => one.line === line && isOf(one.name, group));
      const name = option?.name ?? 'AUTH_ROLES_MAPPING';
      const roles = plainTexts(value);
      if (roles === undefined || !roles.every(isRole) || group === '(computed)') {
        this.#migration.left(name, 'not a list of texts: write a rule for it');
      } else if (roles.length === 0) this.#migration.aside(name, 'gave nothing');
      else if (roles.includes(ADMIN) && exactly(group) !== group) {
        this.#migration.left(
          name,
          'the name of the group holds a character that makes it a pattern, and Admin is given by exact names',
        );
      } else {
        const rule = this.#add(group, { groups: exactly(group) }, roles);
        this.#migration.carried(name, `rules.${rule}`);
      }
    }
    this.#migration.aside('AUTH_ROLES_MAPPING', 'overwritten further down');
  }

  /** Whether people without an account are let in. */
  #registration(): boolean {
    const migration = this.#migration;
    const isOpen = plainFlag(this.#options.find('AUTH_USER_REGISTRATION')) ?? false;
    const note = isOpen ? 'accounts are made, which is the default here' : 'targets.superset.missing.users: refuse';
    const isKnown = this.#options.find('AUTH_USER_REGISTRATION')?.kind !== 'code';
    if (isKnown) migration.carried('AUTH_USER_REGISTRATION', note);
    else migration.left('AUTH_USER_REGISTRATION', 'made by code: `missing.users` says refuse until you know better');
    const path = this.#options.find('AUTH_USER_REGISTRATION_ROLE_JMESPATH');
    const role = this.#options.find('AUTH_USER_REGISTRATION_ROLE');
    if (!isOpen) {
      for (const name of ['AUTH_USER_REGISTRATION_ROLE_JMESPATH', 'AUTH_USER_REGISTRATION_ROLE']) {
        migration.aside(name, 'without AUTH_USER_REGISTRATION it did nothing');
      }
      return false;
    }
    if (path !== undefined && !(path.kind === 'scalar' && !path.value)) {
      this.#rolePath(path);
      migration.aside('AUTH_USER_REGISTRATION_ROLE', 'AUTH_USER_REGISTRATION_ROLE_JMESPATH took its place');
      return true;
    }
    migration.aside('AUTH_USER_REGISTRATION_ROLE_JMESPATH', 'empty');
    const name = role === undefined ? 'Public' : plainText(role);
    if (name === undefined || !isRole(name))
      migration.left('AUTH_USER_REGISTRATION_ROLE', 'not a text: write a rule without `when` for it');
    else if (name === ADMIN) {
      const why =
        'everybody who logged in became an administrator, which is refused here: name the groups that are to be';
      if (role === undefined) migration.todo(why);
      migration.left('AUTH_USER_REGISTRATION_ROLE', why);
    } else {
      const rule = this.#add('everybody', undefined, [name]);
      if (role === undefined)
        migration.todo(
          `rules.${rule}: Public is what Flask-AppBuilder gives where AUTH_USER_REGISTRATION_ROLE is not set.`,
        );
      migration.carried('AUTH_USER_REGISTRATION_ROLE', `rules.${rule}: everybody had it beside what the groups gave`);
    }
    return true;
  }

  #rolePath(path: Literal): void {
    const name = 'AUTH_USER_REGISTRATION_ROLE_JMESPATH';
    const text = plainText(path);
    const branches = text === undefined ? undefined : readRolePath(text);
    if (branches === undefined) {
      this.#migration.left(name, 'an expression of another shape: write rules for it');
      return;
    }
    const { rules, left, fallback } = roleRules(
      branches,
      (claim) => this.#attribute(claim),
      (role) => role === ADMIN,
    );
    const made = rules
      .filter(({ role }) => isRole(role))
      .map(({ when, role }) => `rules.${this.#add(`role-${role}`, when, [role])}`);
    // The role comes beside those of the groups: it can be a default only where there are none of these.
    const isDefault = fallback !== undefined && isRole(fallback) && !this.#hasMapping;
    if (isDefault) {
      this.#default = { grant: { [TARGET]: { roles: [fallback] } } };
      made.push('default');
    }
    const missing = [...left, ...(fallback === undefined || isDefault ? [] : [`${fallback} for everybody else`])];
    if (missing.length > 0) this.#migration.left(name, `in part (${made.join(', ')}); not: ${missing.join('; ')}`);
    else this.#migration.carried(name, made.join(', '));
  }

  /** The expression looks at what Flask-AppBuilder made of the claims. */
  #attribute(path: readonly string[]): string {
    const name = path.join('.');
    const ours = {
      username: 'preferred_username',
      first_name: 'given_name',
      last_name: 'family_name',
      email: 'email',
      name: 'name',
    }[name];
    if (ours !== undefined) return ours;
    if (name === 'role_keys' || name === 'groups' || name === 'roles') return 'groups';
    const attribute = nameOf(name.replaceAll('.', '_'), 'claim');
    this.#claims[attribute] = name;
    return attribute;
  }

  #sync(): void {
    const isSynced = plainFlag(this.#options.find('AUTH_ROLES_SYNC_AT_LOGIN')) === true;
    this.#migration.carried(
      'AUTH_ROLES_SYNC_AT_LOGIN',
      isSynced
        ? 'roles follow the groups at each login and refresh; what somebody gave by hand stays, unless `safety: { manage: all }` takes it away as Superset did'
        : 'not as Superset did, which never changed roles again: here they follow the groups, and what somebody gave by hand stays',
    );
  }

  /** The name that the rule got. */
  #add(wish: string, when: When | undefined, roles: readonly string[]): string {
    const base = nameOf(wish, 'rule');
    let name = base;
    for (let count = 2; Object.hasOwn(this.#rules, name); count += 1) name = `${base.slice(0, 60)}-${count}`;
    const isEmpty = when === undefined || Object.keys(when).length === 0;
    this.#rules[name] = { ...(isEmpty ? {} : { when }), grant: { [TARGET]: { roles: [...new Set(roles)] } } };
    return name;
  }
}

/** A role whose name holds what a grant would take for a capture is none that can be written. */
function isRole(role: string): boolean {
  return role !== '' && !role.includes('${');
}

function isOf(option: string, key: string): boolean {
  return [`.${key}`, `[${JSON.stringify(key)}]`].some((end) => option === `AUTH_ROLES_MAPPING${end}`);
}
