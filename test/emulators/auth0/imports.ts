import { type Call, Refusal } from './exchange.ts';
import { addressKey, type Connection, newUser, storeUser } from './state.ts';

interface Outcome {
  readonly errors: readonly unknown[];
  readonly summary: { failed: number; updated: number; inserted: number; total: number };
}

/** Works through a file of users; a row that fails is told in `errors` and stops no other. @throws Refusal 400 */
export function runImport(call: Call, connection: Connection, file: string, upsert: boolean): Outcome {
  const rows = parsed(file);
  const errors: unknown[] = [];
  const summary = { failed: 0, updated: 0, inserted: 0, total: rows.length };
  for (const row of rows) {
    const complaint = importOne(call, connection, row, upsert, summary);
    if (complaint === undefined) continue;
    summary.failed += 1;
    errors.push({ user: row, errors: [complaint] });
  }
  return { errors, summary };
}

function parsed(file: string): Record<string, unknown>[] {
  let rows: unknown;
  try {
    rows = JSON.parse(file);
  } catch {
    throw new Refusal(400, 'Failed to parse users file JSON when importing users. Make sure it is valid JSON.');
  }
  if (!Array.isArray(rows)) throw new Refusal(400, 'The users file must hold a list of users.');
  return rows;
}

/** With `upsert` what is there is overwritten, metadata too; an id gets its prefix here. */
function importOne(
  call: Call,
  connection: Connection,
  row: Readonly<Record<string, unknown>>,
  upsert: boolean,
  summary: Outcome['summary'],
): { readonly code: string; readonly message: string; readonly path?: string } | undefined {
  const { user_id, email, password_hash: _, custom_password_hash: __, ...rest } = row;
  if (typeof email !== 'string') {
    return { code: 'OBJECT_MISSING_REQUIRED_PROPERTY', message: 'Missing required property: email', path: 'email' };
  }
  const profile = { ...rest, email: email.toLowerCase() };
  const at = new Date(call.now).toISOString();
  const known = call.state.addresses.get(addressKey(connection.name, email));
  if (known !== undefined && !upsert) {
    return { code: 'DUPLICATED_USER', message: 'The user already exist and upsert parameter is false' };
  }
  const id = known ?? `auth0|${typeof user_id === 'string' ? user_id : call.newId('user')}`;
  const before = call.state.users.get(id);
  const made = newUser(connection, id, profile, before?.created_at ?? at, [], 'secure.gravatar.com');
  const user = before ? { ...made, updated_at: at, identities: before.identities } : made;
  storeUser(call.state, user, call, before ? 'updated' : 'created');
  if (before) summary.updated += 1;
  else summary.inserted += 1;
  return undefined;
}
