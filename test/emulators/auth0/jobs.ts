import { gzipSync } from 'node:zlib';
import { list, oneOf, record } from '../gooddata/check.ts';
import { bodyOf, type Call, Refusal, type Reply } from './exchange.ts';
import { runImport } from './imports.ts';
import type { Route } from './routes.ts';
import type { Connection, Job, User } from './state.ts';
import { CONNECTION_ID, wholeNumber, words } from './words.ts';

const EXPORT = {
  connection_id: CONNECTION_ID,
  fields: list(record({ name: words(100), export_as: words(100) }, ['name'])),
  format: oneOf(['json', 'csv']),
  limit: wholeNumber(1),
};
/** Of a file with users to import. */
const IMPORT_LIMIT = 500_000;
const LINK_LIFE_MS = 60_000;
const UNDER_WAY = 2;

export const JOB_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/jobs/users-exports', scopes: ['read:users'], body: true, handle: exportUsers },
  {
    method: 'POST',
    path: '/jobs/users-imports',
    scopes: ['create:users'],
    body: true,
    handle: importUsers,
  },
  {
    method: 'GET',
    path: '/jobs/{id}',
    scopes: ['create:users', 'read:users', 'create:passwords_checking_job'],
    handle: (call) => ({ status: 200, json: jobView(call, jobOf(call)) }),
  },
  {
    method: 'GET',
    path: '/jobs/{id}/errors',
    scopes: ['create:users', 'read:users', 'create:passwords_checking_job'],
    handle: (call) => {
      const { errors } = jobOf(call);
      if (errors.length === 0) return { status: 204 };
      return { status: 200, json: errors, headers: { 'content-type': 'application/json' } };
    },
  },
];

function jobOf(call: Call): Job {
  const id = call.params['id'] ?? '';
  if (!/^job_[A-Za-z0-9]{16}$/.test(id)) throw new Refusal(400, 'Invalid job id', 'invalid_uri');
  const job = call.state.jobs.get(id);
  if (!job) throw new Refusal(404, 'The job does not exist', 'inexistent_job');
  return job;
}

/** Pending until it is done; then an export has its link, a new one each time, and an import its summary. */
function jobView(call: Call, job: Job): Record<string, unknown> {
  const { summary, ...body } = job.body;
  if (call.now < job.doneAt) return body;
  if (job.file === undefined) return { ...body, status: 'completed', summary };
  const location = `${call.url.origin}/exports/${job.id}?expires=${call.now + LINK_LIFE_MS}`;
  return { ...body, status: 'completed', location };
}

function connectionOf(call: Call, id: string | undefined): Connection | undefined {
  if (id === undefined) return undefined;
  const connection = [...call.state.connections.values()].find((one) => one.id === id);
  if (!connection) throw new Refusal(400, 'The connection does not exist.', 'inexistent_connection');
  return connection;
}

interface Field {
  readonly name: string;
  readonly export_as?: string;
}

function exportUsers(call: Call): Reply {
  const sent = bodyOf<{ connection_id?: string; fields?: Field[]; format?: string; limit?: number }>(call, EXPORT);
  if (sent.format === 'csv') throw new Refusal(400, 'The emulator exports JSON alone.', 'invalid_body');
  const connection = connectionOf(call, sent.connection_id);
  const users = [...call.state.users.values()]
    .filter((user) => !connection || user.identities.some((identity) => identity.connection === connection.name))
    .slice(0, sent.limit);
  const rows = users.map((user) => JSON.stringify(exported(user, sent.fields)));
  const body = {
    type: 'users_export',
    status: 'pending',
    format: 'json',
    ...sent,
    ...(connection ? { connection: connection.name } : { connection: '' }),
  };
  const job = addJob(call, body, { errors: [], file: rows.map((row) => `${row}\n`).join('') });
  return { status: 200, json: job.body };
}

function exported(user: User, fields: readonly Field[] | undefined): unknown {
  if (!fields) {
    const { app_metadata: _a, user_metadata: _u, blocked: _b, ...rest } = user;
    return rest;
  }
  const values = fields.map(({ name, export_as }) => [export_as ?? name, at(user, name)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** `identities[0].connection`, `app_metadata.team`. */
function at(user: User, path: string): unknown {
  let value: unknown = user;
  for (const segment of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[segment] : undefined;
  }
  return value;
}

function importUsers(call: Call): Reply {
  const sent = (call.body ?? {}) as Readonly<Record<string, string>>;
  const { connection_id, users } = sent;
  if (connection_id === undefined || users === undefined) {
    throw new Refusal(400, 'connection_id and users are required', 'invalid_body');
  }
  const connection = connectionOf(call, connection_id);
  if (users.length > IMPORT_LIMIT)
    throw new Refusal(413, 'Payload content length greater than maximum allowed: 512000');
  const underWay = [...call.state.jobs.values()].filter((job) => !job.file && call.now < job.doneAt).length;
  if (underWay >= UNDER_WAY) {
    const message = `There are ${underWay} active import users jobs, please wait until some of them are finished and try again`;
    throw new Refusal(429, message, 'too_many_requests');
  }
  const { errors, summary } = runImport(call, connection as Connection, users, sent['upsert'] === 'true');
  const external = sent['external_id'] ? { external_id: sent['external_id'] } : {};
  const body = { type: 'users_import', status: 'pending', connection_id, connection: connection?.name, ...external };
  const job = addJob(call, body, { errors }, summary);
  const { summary: _, ...shown } = job.body;
  return { status: 202, json: shown };
}

function addJob(
  call: Call,
  body: Readonly<Record<string, unknown>>,
  rest: Pick<Job, 'errors' | 'file'>,
  summary?: unknown,
): Job {
  const id = call.newId('job');
  const created_at = new Date(call.now).toISOString();
  const full = { ...body, created_at, id, ...(summary === undefined ? {} : { summary }) };
  const job: Job = { id, body: full, doneAt: call.now + call.jobMs, ...rest };
  call.state.jobs.set(id, job);
  return job;
}

/** The file behind the link of a finished export; needs no token. */
export function download(call: Pick<Call, 'url' | 'state' | 'now'>): Reply {
  const job = call.state.jobs.get(call.url.pathname.split('/').at(-1) ?? '');
  const expires = Number(call.url.searchParams.get('expires'));
  const headers = { 'content-type': 'application/gzip' };
  if (job?.file !== undefined && call.now < expires) return { status: 200, bytes: gzipSync(job.file), headers };
  const text = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>';
  return { status: 403, bytes: Buffer.from(text), headers: { 'content-type': 'application/xml' } };
}
