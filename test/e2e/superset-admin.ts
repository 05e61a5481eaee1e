import type { RunningSuperset } from '../services/superset.ts';

const TIMEOUT_MS = 60_000;
/** Superset's token lives for fifteen minutes. */
const TOKEN_FRESH_MS = 600_000;

export interface SupersetAccount {
  readonly id: number;
  readonly username: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly email: string;
  readonly active: boolean;
  /** Sorted names. */
  readonly roles: readonly string[];
  /** Sorted names. */
  readonly groups: readonly string[];
}

interface Named {
  readonly id: number;
  readonly name: string;
}

interface Row extends Omit<SupersetAccount, 'roles' | 'groups'> {
  readonly roles: readonly Named[];
  readonly groups: readonly Named[];
}

/** Superset's own administrator, going past the gateway: to read back what it did, and to change things by hand. */
export class SupersetAdmin {
  readonly #superset: RunningSuperset;
  #token: { readonly value: string; readonly at: number } | undefined;

  constructor(superset: RunningSuperset) {
    this.#superset = superset;
  }

  /** Every account whose user name or e-mail address holds this text. */
  async find(text: string): Promise<SupersetAccount[]> {
    const rows = new Map<number, Row>();
    for (const column of ['username', 'email']) {
      for (const row of await this.#list<Row>('users', column, 'ct', text)) rows.set(row.id, row);
    }
    return Promise.all([...rows.keys()].map((id) => this.#read(id)));
  }

  async account(username: string): Promise<SupersetAccount> {
    const fitting = (await this.find(username)).filter((account) => account.username === username);
    const [account, ...more] = fitting;
    if (account === undefined || more.length > 0)
      throw new Error(`superset: ${fitting.length} accounts named ${username}`);
    return account;
  }

  /** Ids of the groups with exactly this name. */
  async groups(name: string): Promise<number[]> {
    return (await this.#list<Named>('groups', 'name', 'eq', name)).map(({ id }) => id);
  }

  async createGroup(name: string): Promise<void> {
    await this.#call('POST', 'groups/', { name });
  }

  /** Gives a role and a group beside those that the account has. */
  async giveByHand(username: string, given: { readonly role: string; readonly group: string }): Promise<void> {
    const { id } = await this.account(username);
    const { result } = await this.#call<{ result: Row }>('GET', `users/${id}`);
    const [role] = await this.#list<Named>('roles', 'name', 'eq', given.role);
    const [group] = await this.#list<Named>('groups', 'name', 'eq', given.group);
    if (role === undefined || group === undefined) throw new Error('superset: no such role or group');
    await this.#call('PUT', `users/${id}`, {
      roles: [...new Set([...result.roles, role].map((one) => one.id))],
      groups: [...new Set([...result.groups, group].map((one) => one.id))],
    });
  }

  /** A token with which Superset's API knows the administrator. */
  async token(): Promise<string> {
    if (this.#token !== undefined && Date.now() - this.#token.at < TOKEN_FRESH_MS) return this.#token.value;
    const answer = await fetch(`${this.#superset.url}/api/v1/security/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...this.#superset.admin, provider: 'db', refresh: false }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`superset: no token: ${answer.status} ${await answer.text()}`);
    const { access_token: value } = (await answer.json()) as { access_token: string };
    this.#token = { value, at: Date.now() };
    return value;
  }

  async #read(id: number): Promise<SupersetAccount> {
    const { result } = await this.#call<{ result: Row }>('GET', `users/${id}`);
    const { username, first_name, last_name, email, active } = result;
    const names = (list: readonly Named[]) => list.map(({ name }) => name).sort();
    const granted = { roles: names(result.roles), groups: names(result.groups) };
    return { id, username, first_name, last_name, email, active, ...granted };
  }

  async #list<T>(resource: string, column: string, operator: 'eq' | 'ct', value: string): Promise<T[]> {
    const q = `(filters:!((col:${column},opr:${operator},value:'${value}')),page_size:100)`;
    return (await this.#call<{ result: T[] }>('GET', `${resource}/?q=${encodeURIComponent(q)}`)).result;
  }

  async #call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.#superset.url}/api/v1/security/${path}`, {
      method,
      headers: { authorization: `Bearer ${await this.token()}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`superset: ${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  }
}
