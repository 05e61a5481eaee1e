import { type Literal, type Option, plainFlag, plainText } from './literals.ts';
import type { Migration } from './migration.ts';
import { nameOf } from './names.ts';
import type { When } from './role-rules.ts';

export const TARGET = 'superset';
/** Best first: the first that somebody has counts. */
export const ROLES = ['GrafanaAdmin', 'Admin', 'Editor', 'Viewer', 'None'] as const;
export const ISSUER = '${OIDC_ISSUER:-https://id.example.com}';

export function isPrivileged(role: string): boolean {
  return role === 'Admin' || role === 'GrafanaAdmin';
}

interface Rule {
  readonly when?: When;
  readonly grant?: unknown;
  readonly deny?: string;
}

/** What all logins of a file together make: rules, and what is given by default. */
export class GrafanaRules {
  readonly migration: Migration;
  readonly rules: Record<string, Rule> = {};
  readonly #options: readonly Option[];
  readonly #fallbacks: (string | undefined)[] = [];
  #isStrict = false;

  constructor(migration: Migration, options: readonly Option[]) {
    this.migration = migration;
    this.#options = options;
  }

  /** An empty value is none. */
  find(name: string): Literal | undefined {
    const value = this.#options.findLast((option) => option.name === name)?.value;
    return plainText(value) === '' ? undefined : value;
  }

  /** The name that the rule got. */
  add(wish: string, rule: Rule): string {
    const base = nameOf(wish, 'rule');
    let name = base;
    for (let count = 2; Object.hasOwn(this.rules, name); count += 1) name = `${base.slice(0, 60)}-${count}`;
    const { when, ...rest } = rule;
    this.rules[name] = { ...(when === undefined || Object.keys(when).length === 0 ? {} : { when }), ...rest };
    return name;
  }

  /** None is an account without a role; an administrator of Grafana is one of the organisation too. */
  grantRole(role: string, when: When | undefined, login: string): string {
    const isAssigned = plainFlag(this.find(`auth.${login}.allow_assign_grafana_admin`)) === true;
    const roles = role === 'GrafanaAdmin' ? ['Admin', ...(isAssigned ? [role] : [])] : [role];
    const given = role === 'None' ? {} : { roles };
    return this.add(`${login}-${role}`, { when: { ...when, origin: login }, grant: { [TARGET]: given } });
  }

  /** Of whom no rule gives anything. With two logins that disagree: nothing. */
  fallback(role: string | undefined, isStrict: boolean): void {
    this.#isStrict ||= isStrict;
    this.#fallbacks.push(role);
  }

  default(): unknown {
    const deny = { deny: 'Nothing that the provider says of you gives you a role here.' };
    const assigned = plainText(this.find('users.auto_assign_org_role'));
    if (this.#isStrict) {
      this.migration.aside('users.auto_assign_org_role', 'role_attribute_strict: nobody is let in without a role');
      return deny;
    }
    this.migration.carried('users.auto_assign_org_role', '`default`, of whom no rule gives a role');
    const [role = assigned ?? 'Viewer', ...others] = new Set(this.#fallbacks.map((one) => one ?? assigned ?? 'Viewer'));
    if (others.length > 0) {
      this.migration.todo(
        `default: the logins give everybody else different roles (${[role, ...others].join(', ')}); write a rule with \`origin\` for each.`,
      );
      return deny;
    }
    if (!isPrivileged(role)) return { grant: { [TARGET]: { roles: [role] } } };
    this.migration.todo(
      `default: ${role} for everybody else is refused here: privileged roles are given by exact groups.`,
    );
    return deny;
  }
}
