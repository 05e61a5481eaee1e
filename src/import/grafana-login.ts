import { type GrafanaRules, TARGET } from './grafana-rules.ts';
import { escaped, exactly, type Literal, plainText } from './literals.ts';
import { nameOf } from './names.ts';
import { readClaimPath } from './role-path.ts';

/** One section `auth.NAME`: what logins of every protocol have. */
export class GrafanaLogin {
  readonly all: GrafanaRules;
  readonly login: string;
  /** Our attributes and the claims that they are. */
  readonly claims: Record<string, string[]> = {};

  constructor(all: GrafanaRules, login: string) {
    this.all = all;
    this.login = login;
  }

  label(): object {
    const name = this.text('name');
    this.carried('name', 'label');
    return name === undefined ? {} : { label: escaped(name) };
  }

  /** Of the claims that rules look at, the first list is the groups: privileged roles are given by those alone. */
  attribute(path: readonly string[], isList: boolean): string {
    const claim = claimName(path);
    const known = Object.entries(this.claims).find(([, claims]) => claims[0] === claim)?.[0];
    if (known !== undefined) return known;
    const own = OWN[path.join('.')];
    if (own !== undefined) return own;
    if (isList && this.claims['groups'] === undefined) {
      this.claims['groups'] = [claim];
      return 'groups';
    }
    // A name of its own: `groups` may be taken by the claim that roles come from.
    const attribute = `claim_${nameOf(path.join('_'), 'claim')}`.slice(0, 64);
    this.claims[attribute] = [claim];
    return attribute;
  }

  /**
   * Who got in there was limited by these: as long as nobody has said it here, the login lets nobody in. `unsaid` cannot be
   * said whatever they hold, the others where they are not plain texts.
   */
  protected close(readable: readonly string[], unsaid: readonly string[]): void {
    const isSet = (option: string): boolean => this.value(option) !== undefined;
    const unread = readable.filter((option) => isSet(option) && this.text(option) === undefined);
    const open = [...unread, ...unsaid.filter(isSet)];
    if (open.length === 0) return;
    for (const option of unread)
      this.all.migration.left(`auth.${this.login}.${option}`, 'not in the file itself: write rules for it');
    // By a pattern: `check` takes it for a mistake when a rule as wide as this denies all that others give.
    const deny = 'This login is not set up to its end.';
    const rule = this.all.add(`${this.login}-not-finished`, { when: { origin: `${this.login}*` }, deny });
    this.all.migration.todo(
      `rules.${rule}: nobody gets in until rules say what ${open.join(', ')} did; then take it out.`,
    );
  }

  rolesByValue(values: readonly (readonly [string, readonly string[]])[], attribute = 'groups'): string[] {
    const before: string[] = [];
    return values.flatMap(([role, list]) => {
      if (list.length === 0) return [];
      const when = {
        [attribute]: list.map(exactly),
        ...(before.length === 0 ? {} : { not: { [attribute]: [...before] } }),
      };
      before.push(...list.map(exactly));
      return [`rules.${this.all.grantRole(role, when, this.login)}`];
    });
  }

  /** `GROUP:ORG:ROLE`, several between blanks or commas; the group may hold colons behind a backslash, `*` is everybody. */
  organisations(groups: string): void {
    const mapping = words(this.text('org_mapping'));
    if (mapping.length === 0) return;
    const path = readClaimPath(this.text('org_attribute_path') ?? '');
    const attribute = path === undefined ? groups : this.attribute(path, true);
    const made = mapping.map((entry) => {
      const [value = '', org = '', role = 'Viewer'] = entry
        .split(/(?<!\\):/)
        .map((part) => part.replaceAll('\\:', ':'));
      if (org === '' || /\$\{/.test(entry)) return undefined;
      const when = value === '*' ? { origin: this.login } : { [attribute]: [exactly(value)], origin: this.login };
      return this.all.add(`${this.login}-org-${org}-${role}`, {
        when,
        grant: { [TARGET]: { groups: [`${org}:${role}`] } },
      });
    });
    if (made.includes(undefined))
      this.all.migration.left(`auth.${this.login}.org_mapping`, 'not GROUP:ORG:ROLE throughout: write a rule for each');
    else
      this.carried('org_mapping', `${made.map((rule) => `rules.${rule}`).join(', ')}: a group ORG:ROLE for each`, true);
    if (path !== undefined) this.carried('org_attribute_path', 'claims');
    this.all.migration.todo(
      'rules: organisations of Grafana became groups `ORG:ROLE`. Rename them to groups of your backend.',
    );
  }

  value(option: string): Literal | undefined {
    return this.all.find(`auth.${this.login}.${option}`);
  }

  text(option: string): string | undefined {
    return plainText(this.value(option));
  }

  carried(option: string, text: string, isWhole = false): void {
    this.all.migration.carried(`auth.${this.login}.${option}`, isWhole ? text : `login.${this.login}: ${text}`);
  }
}

/** Members of what Grafana knows that have a name of ours. */
const OWN: Readonly<Record<string, string>> = {
  email: 'email',
  login: 'preferred_username',
  preferred_username: 'preferred_username',
  name: 'name',
};

/** As our config names a claim by a path: a dot inside a segment has a backslash. */
export function claimName(path: readonly string[]): string {
  return escaped(path.map((segment) => (path.length === 1 ? segment : segment.replaceAll('.', '\\.'))).join('.'));
}

/** Lists of Grafana: between blanks or commas, in quotation marks those that hold some, or of JSON. */
export function words(text: string | undefined): readonly string[] {
  const trimmed = text?.trim() ?? '';
  if (trimmed.startsWith('[')) {
    try {
      const parsed: unknown = JSON.parse(trimmed);
      if (Array.isArray(parsed)) return parsed.map(String);
    } catch {
      // Then it is a text like others.
    }
  }
  return [...trimmed.matchAll(/"([^"]+)"|[^,\s]+/g)].map(([word, quotedWord]) => quotedWord ?? word);
}

/** Values of a list with commas between them, whose blanks count. */
export function listed(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== '');
}
