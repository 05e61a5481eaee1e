const TIMEOUT_MS = 30_000;

export type NewKeycloakUser = {
  readonly username: string;
  readonly password: string;
  readonly email?: string;
  readonly emailVerified?: boolean;
  readonly firstName?: string;
  readonly lastName?: string;
  /** Paths or top-level names: `Admin`, `/company/eng`. */
  readonly groups?: readonly string[];
};

export type NewSamlClient = {
  readonly entityId: string;
  /** Addresses of the service provider without their last segment. */
  readonly base: string;
  /** Certificate by which its requests have to be signed. */
  readonly signing?: string;
  /** Certificate for which assertions are encrypted. */
  readonly encryption?: string;
};

type Group = { readonly id: string; readonly name: string; readonly path: string };

/** The few calls of Keycloak's admin REST API that tests need, for one realm. Every call throws on an answer outside 2xx. */
export class KeycloakAdmin {
  readonly #server: string;
  readonly #realm: string;
  readonly #login: { readonly username: string; readonly password: string };

  constructor(server: string, realm: string, login: { username: string; password: string }) {
    this.#server = server;
    this.#realm = realm;
    this.#login = login;
  }

  /** A fresh access token of the administrator; lives for one minute. */
  async token(): Promise<string> {
    const answer = await fetch(`${this.#server}/realms/master/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...this.#login }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`keycloak: no administrator token: ${answer.status} ${await answer.text()}`);
    const { access_token: token } = (await answer.json()) as { access_token: string };
    return token;
  }

  /** Creates a person and returns the id, which is the `sub` of their tokens. */
  async createUser(user: NewKeycloakUser): Promise<string> {
    const { password, groups = [], ...profile } = user;
    await this.#call('POST', '/users', {
      enabled: true,
      emailVerified: true,
      ...profile,
      credentials: [{ type: 'password', value: password, temporary: false }],
    });
    await this.setUserGroups(user.username, groups);
    return this.userId(user.username);
  }

  async userId(username: string): Promise<string> {
    const found = await this.#call<{ id: string }[]>(
      'GET',
      `/users?exact=true&username=${encodeURIComponent(username)}`,
    );
    if (found.length !== 1 || found[0] === undefined) throw new Error(`keycloak: no user ${username}`);
    return found[0].id;
  }

  /** Makes the person a member of exactly these groups. Groups that do not exist are created. */
  async setUserGroups(username: string, groups: readonly string[]): Promise<void> {
    const id = await this.userId(username);
    const wanted = await Promise.all(groups.map((group) => this.addGroup(group)));
    const present = await this.#call<Group[]>('GET', `/users/${id}/groups?max=1000`);
    for (const group of present) {
      if (!wanted.includes(group.id)) await this.#call('DELETE', `/users/${id}/groups/${group.id}`);
    }
    for (const group of wanted) {
      if (!present.some((one) => one.id === group)) await this.#call('PUT', `/users/${id}/groups/${group}`);
    }
  }

  /** Creates a group and its parents where they are missing, and returns its id. `eng`, `/eng` and `/company/eng` are paths. */
  async addGroup(path: string): Promise<string> {
    let parent: string | undefined;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const siblings = parent === undefined ? '/groups' : `/groups/${parent}/children`;
      const find = async () =>
        (await this.#call<Group[]>('GET', `${siblings}?max=1000`)).find((g) => g.name === name)?.id;
      parent = (await find()) ?? (await this.#call('POST', siblings, { name }).then(find));
      if (parent === undefined) throw new Error(`keycloak: group ${path} was not created`);
    }
    if (parent === undefined) throw new Error('keycloak: empty group path');
    return parent;
  }

  async disableUser(username: string): Promise<void> {
    await this.updateUser(username, { enabled: false });
  }

  async enableUser(username: string): Promise<void> {
    await this.updateUser(username, { enabled: true });
  }

  /** Changes members of the user representation, for example `{ firstName: 'Alicia' }`; others stay. */
  async updateUser(username: string, change: Readonly<Record<string, unknown>>): Promise<void> {
    const id = await this.userId(username);
    const present = await this.#call<Record<string, unknown>>('GET', `/users/${id}`);
    await this.#call('PUT', `/users/${id}`, { ...present, ...change });
  }

  async deleteUser(username: string): Promise<void> {
    await this.#call('DELETE', `/users/${await this.userId(username)}`);
  }

  /** Ends every session of the person; Keycloak sends a back-channel logout token for one of them. */
  async logoutUser(username: string): Promise<void> {
    await this.#call('POST', `/users/${await this.userId(username)}/logout`);
  }

  /** Ids of the person's sessions, which are the `sid` of their tokens. */
  async sessions(username: string): Promise<string[]> {
    const sessions = await this.#call<{ id: string }[]>('GET', `/users/${await this.userId(username)}/sessions`);
    return sessions.map(({ id }) => id);
  }

  /** As an administrator does from the list of sessions. */
  async deleteSession(id: string): Promise<void> {
    await this.#call('DELETE', `/sessions/${id}`);
  }

  /** Creates a confidential client that is an account of its own, with these roles of `realm-management`. */
  async createServiceAccount(clientId: string, secret: string, roles: readonly string[]): Promise<void> {
    const idOf = async (name: string) => {
      const [client] = await this.#call<{ id: string }[]>('GET', `/clients?clientId=${encodeURIComponent(name)}`);
      if (client === undefined) throw new Error(`keycloak: no client ${name}`);
      return client.id;
    };
    const flows = { standardFlowEnabled: false, serviceAccountsEnabled: true, publicClient: false };
    await this.#call('POST', '/clients', { clientId, secret, protocol: 'openid-connect', ...flows });
    const account = await this.#call<{ id: string }>('GET', `/clients/${await idOf(clientId)}/service-account-user`);
    const management = await idOf('realm-management');
    const granted = await Promise.all(
      roles.map((role) => this.#call('GET', `/clients/${management}/roles/${encodeURIComponent(role)}`)),
    );
    await this.#call('POST', `/users/${account.id}/role-mappings/clients/${management}`, granted);
  }

  /** Creates a service provider that knows people by their user name, and is sent `email` and `groups`. */
  async createSamlClient({ entityId, base, signing, encryption }: NewSamlClient): Promise<void> {
    const bare = (certificate: string) => certificate.replace(/-----[^-]+-----/g, '').replace(/\s/g, '');
    const mapper = (name: string, protocolMapper: string, config: Readonly<Record<string, string>>) => ({
      ...{ name, protocol: 'saml', protocolMapper },
      config: { 'attribute.name': name, 'attribute.nameformat': 'Basic', ...config },
    });
    await this.#call('POST', '/clients', {
      clientId: entityId,
      protocol: 'saml',
      frontchannelLogout: false,
      fullScopeAllowed: true,
      defaultClientScopes: [],
      redirectUris: [`${base}/*`],
      attributes: {
        'saml.assertion.signature': 'true',
        'saml.server.signature': 'true',
        'saml.authnstatement': 'true',
        'saml.force.post.binding': 'true',
        'saml.signature.algorithm': 'RSA_SHA256',
        saml_name_id_format: 'username',
        saml_force_name_id_format: 'true',
        saml_assertion_consumer_url_post: `${base}/acs`,
        saml_single_logout_service_url_post: `${base}/slo`,
        'saml.client.signature': String(signing !== undefined),
        ...(signing === undefined ? {} : { 'saml.signing.certificate': bare(signing) }),
        'saml.encrypt': String(encryption !== undefined),
        ...(encryption === undefined ? {} : { 'saml.encryption.certificate': bare(encryption) }),
        'saml.encryption.algorithm': 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
        'saml.encryption.keyAlgorithm': 'http://www.w3.org/2009/xmlenc11#rsa-oaep',
        'saml.encryption.digestMethod': 'http://www.w3.org/2001/04/xmlenc#sha256',
        'saml.encryption.maskGenerationFunction': 'http://www.w3.org/2009/xmlenc11#mgf1sha256',
      },
      protocolMappers: [
        mapper('email', 'saml-user-attribute-mapper', { 'user.attribute': 'email' }),
        mapper('groups', 'saml-group-membership-mapper', { single: 'true', 'full.path': 'false' }),
      ],
    });
  }

  /** From now on the realm signs with a new key; the former one stays published. */
  async rotateKey(): Promise<void> {
    await this.#call('POST', '/components', {
      name: `rotated ${Date.now()}`,
      providerId: 'rsa-generated',
      providerType: 'org.keycloak.keys.KeyProvider',
      config: { priority: ['1000'], enabled: ['true'], active: ['true'], algorithm: ['RS256'], keySize: ['2048'] },
    });
  }

  /** Another realm of the same server, with one person and these groups. */
  async createRealm(realm: string, { password, groups = [], ...person }: NewKeycloakUser): Promise<KeycloakAdmin> {
    const credentials = [{ type: 'password', value: password, temporary: false }];
    const users = [
      { ...person, enabled: true, emailVerified: true, credentials, groups: groups.map((name) => `/${name}`) },
    ];
    const answer = await fetch(`${this.#server}/admin/realms`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await this.token()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ realm, enabled: true, groups: groups.map((name) => ({ name })), users }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`keycloak: no realm ${realm}: ${answer.status} ${await answer.text()}`);
    return new KeycloakAdmin(this.#server, realm, this.#login);
  }

  /** The same name as by OpenID Connect. */
  samlEntityId(): string {
    return `${this.#server}/realms/${this.#realm}`;
  }

  /** Where the realm describes itself to service providers. */
  samlMetadata(): string {
    return `${this.#server}/realms/${this.#realm}/protocol/saml/descriptor`;
  }

  /** Creates a realm role and gives it to these people. */
  async addRealmRole(name: string, usernames: readonly string[]): Promise<void> {
    await this.#call('POST', '/roles', { name });
    const role = await this.#call('GET', `/roles/${encodeURIComponent(name)}`);
    for (const username of usernames) {
      await this.#call('POST', `/users/${await this.userId(username)}/role-mappings/realm`, [role]);
    }
  }

  /** Everything that a source reads, in the words of Keycloak: people, groups and the number of events of administrators. */
  async contents(): Promise<unknown> {
    const people = await this.#call('GET', '/users?max=10000&briefRepresentation=false');
    return { people, groups: await this.#call('GET', '/groups?max=10000&briefRepresentation=false') };
  }

  /** From now on events of these types are counted. */
  async recordEvents(...types: readonly string[]): Promise<void> {
    const config = { eventsEnabled: true, eventsExpiration: 3_600, enabledEventTypes: types };
    await this.#call('PUT', '/events/config', config);
  }

  /** How often this happened to the person, for example `REFRESH_TOKEN` or `REFRESH_TOKEN_ERROR`. */
  async countEvents(type: string, username: string): Promise<number> {
    const user = await this.userId(username);
    const query = new URLSearchParams({ type, user, max: '1000' });
    return (await this.#call<unknown[]>('GET', `/events?${query}`)).length;
  }

  async #call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.#server}/admin/realms/${this.#realm}${path}`, {
      method,
      headers: { authorization: `Bearer ${await this.token()}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`keycloak: ${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}
