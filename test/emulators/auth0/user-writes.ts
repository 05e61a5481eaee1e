import { type Check, flag, jsonObject, nullable } from '../gooddata/check.ts';
import { bodyOf, type Call, noUser, Refusal, type Reply } from './exchange.ts';
import { addressKey, type Connection, newUser, storeUser, type User } from './state.ts';
import { EMAIL, words } from './words.ts';

const OBJECT = jsonObject(16_000);

const PROFILE: Readonly<Record<string, Check>> = {
  app_metadata: OBJECT,
  blocked: flag,
  email: EMAIL,
  email_verified: flag,
  family_name: words(150),
  given_name: words(150),
  name: words(300),
  nickname: words(300),
  password: words(1_000),
  phone_number: words(16, /^\+[0-9]{1,15}$/),
  phone_verified: flag,
  picture: words(2_000),
  user_metadata: OBJECT,
  username: words(128),
  verify_email: flag,
  connection: words(255),
};
const NULLABLE = [
  'email',
  'family_name',
  'given_name',
  'name',
  'nickname',
  'password',
  'phone_number',
  'picture',
  'username',
];
const CREATE = { ...PROFILE, user_id: words(255, /^\S*$/) };
const UPDATE = {
  ...Object.fromEntries(
    Object.entries(PROFILE).map(([n, check]) => [n, NULLABLE.includes(n) ? nullable(check) : check]),
  ),
  client_id: words(255),
  verify_phone_number: flag,
};
/** Members of a request that are orders and no part of the profile. */
const ORDERS = ['connection', 'password', 'verify_email', 'user_id', 'client_id', 'verify_phone_number'];
/** What comes anew from the identity provider at each login of a user who is not of the database. */
const SYNCHRONISED = [
  'email',
  'email_verified',
  'family_name',
  'given_name',
  'name',
  'nickname',
  'picture',
  'username',
];

/** Makes a user of a database connection. @throws Refusal 400, 409 */
export function createUser(call: Call): Reply {
  const body = bodyOf<Record<string, unknown>>(call, CREATE, ['connection']);
  const connection = call.state.connections.get(String(body['connection']));
  if (!connection) throw new Refusal(400, 'The connection does not exist.', 'inexistent_connection');
  if (connection.strategy !== 'auth0') {
    throw new Refusal(400, `Cannot create users in the connection (${connection.name}).`, 'operation_not_supported');
  }
  checkNewUser(connection, body);
  const email = String(body['email']).toLowerCase();
  const bareId = typeof body['user_id'] === 'string' ? body['user_id'] : call.newId('user');
  const id = `auth0|${bareId}`;
  refuseDuplicate(call, connection, id, email, body['username']);
  const user = newUser(connection, id, { ...profileOf(body), email }, new Date(call.now).toISOString());
  storeUser(call.state, user, call, 'created');
  call.state.passwords.set(id, String(body['password']));
  if (body['verify_email'] !== false && body['email_verified'] !== true) {
    call.state.mails.push({ kind: 'verify_email', userId: id });
  }
  return { status: 201, json: user };
}

function checkNewUser(connection: Connection, body: Readonly<Record<string, unknown>>): void {
  for (const name of ['email', 'password', ...(connection.requiresUsername ? ['username'] : [])]) {
    if (body[name] === undefined) {
      throw new Refusal(400, `Payload validation error: 'Missing required property: ${name}'.`, 'invalid_body');
    }
  }
  if (!connection.requiresUsername && body['username'] !== undefined) {
    throw new Refusal(400, 'Cannot set username for connection without requires_username', 'invalid_body');
  }
  checkPassword(body['password']);
}

function checkPassword(password: unknown): void {
  if (String(password).length < 8) {
    throw new Refusal(400, 'PasswordStrengthError: Password is too weak', 'password_strength_error');
  }
}

function refuseDuplicate(call: Call, connection: Connection, id: string, email: string, username: unknown): void {
  const { state } = call;
  const sameName = (user: User) =>
    user['username'] === username && user.identities.some((identity) => identity.connection === connection.name);
  const taken =
    state.users.has(id) ||
    state.addresses.has(addressKey(connection.name, email)) ||
    (username !== undefined && [...state.users.values()].some(sameName));
  if (taken) throw new Refusal(409, 'The user already exists.', 'auth0_idp_error');
}

function profileOf(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !ORDERS.includes(name)));
}

/** Changes what is sent; a member that is null goes, metadata are merged at their first level. @throws Refusal 400, 404 */
export function updateUser(call: Call): Reply {
  const user = call.state.users.get(call.params['id'] ?? '');
  if (!user) throw noUser();
  const known = Object.fromEntries(Object.entries((call.body ?? {}) as object).filter(([name]) => name in UPDATE));
  const body = bodyOf<Record<string, unknown>>({ ...call, body: known }, UPDATE);
  if (Object.keys(body).length === 0)
    throw new Refusal(400, 'Payload validation error: nothing to change.', 'invalid_body');
  checkUpdate(call, user, body);
  const changes = profileOf(body);
  if (typeof changes['email'] === 'string') changes['email'] = changes['email'].toLowerCase();
  for (const name of ['app_metadata', 'user_metadata']) {
    if (changes[name] !== undefined) changes[name] = merged(user[name], changes[name]);
  }
  const at = new Date(call.now).toISOString();
  if (body['password'] !== undefined) {
    call.state.passwords.set(user.user_id, String(body['password']));
    changes['last_password_reset'] = at;
  }
  // Another address is not the one that was verified.
  if (changes['email'] !== undefined && changes['email'] !== user.email) changes['email_verified'] ??= false;
  const next = Object.fromEntries(Object.entries({ ...user, ...changes }).filter(([, value]) => value !== null));
  storeUser(call.state, { ...(next as unknown as User), updated_at: at }, call, 'updated');
  if (body['verify_email'] === true) call.state.mails.push({ kind: 'verify_email', userId: user.user_id });
  return { status: 200, json: call.state.users.get(user.user_id) };
}

function checkUpdate(call: Call, user: User, body: Readonly<Record<string, unknown>>): void {
  const [main] = user.identities;
  const named = body['connection'] ?? main?.connection;
  if (!user.identities.some(({ connection }) => connection === named)) {
    throw new Refusal(400, 'The user does not have an identity in the connection.', 'invalid_body');
  }
  const kept = SYNCHRONISED.filter((name) => body[name] !== undefined);
  if (main?.provider !== 'auth0' && (kept.length > 0 || body['password'] !== undefined)) {
    const message = `The following user attributes cannot be updated: ${kept.join(', ')}. The connection (${main?.connection}) should either be a database connection (using the Auth0 store) or a passwordless connection.`;
    throw new Refusal(400, message, 'operation_not_supported');
  }
  if (body['password'] !== undefined && (body['email'] ?? body['username']) !== undefined) {
    throw new Refusal(400, 'Cannot update password and email simultaneously', 'invalid_body');
  }
  if (body['password'] !== undefined) checkPassword(body['password']);
  if (typeof body['email'] !== 'string') return;
  const owner = call.state.addresses.get(addressKey(String(named), body['email']));
  if (owner !== undefined && owner !== user.user_id) {
    throw new Refusal(400, 'The specified new email already exists', 'auth0_idp_error');
  }
}

function merged(before: unknown, sent: unknown): Record<string, unknown> {
  const all = { ...(before as object), ...(sent as object) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}
