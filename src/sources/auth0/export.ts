import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { Auth0Api } from '../../ops/auth0/api.ts';
import { type Auth0User, userRecord } from '../../ops/auth0/documents.ts';
import { countUsers, listUsers, type UserListing, type UserListingEnd } from '../../ops/auth0/users.ts';
import type { HttpStreams } from '../../ops/http-stream.ts';
import { pause } from '../../ops/retry.ts';
import { asSourceFailure, givenUp } from '../failure.ts';

const connectionsAnswer = z.array(z.object({ id: z.string().min(1), name: z.string() }));
const jobAnswer = z.object({ id: z.string().min(1), status: z.string(), location: z.string().optional() });

export interface ExportParts {
  readonly api: Auth0Api;
  readonly streams: HttpStreams;
  readonly timeoutMs: number;
  /** Between two looks at the job: doubles up to ten times this. Default 1 s. */
  readonly pollMs?: number;
}

const POLL_MS = 1_000;
const BATCH = 1_000;
/** One person with all their metadata. */
const LONGEST_LINE = 4 * 1024 * 1024;

/**
 * The same people as `listUsers` lists, out of the file of an export job: a handful of calls for any number of them.
 * Who is blocked is asked for besides, as an export tells the profile.
 */
export async function* exportUsers(
  parts: ExportParts,
  listing: UserListing,
  signal: AbortSignal,
): AsyncGenerator<readonly Auth0User[], UserListingEnd, undefined> {
  const { api } = parts;
  const counted = await countUsers(api, listing, signal);
  const blocked = new Set<string>();
  const blockedEnd = await collect(listUsers(api, { ...listing, where: 'blocked:true', fields: [] }, signal), blocked);
  const location = await exported(parts, listing, signal);
  const seen = new Set<string>();
  let batch: Auth0User[] = [];
  for await (const line of linesOf(parts, location, signal)) {
    const user = userOf(line);
    if (seen.has(user.user_id)) continue;
    seen.add(user.user_id);
    batch.push(blocked.has(user.user_id) ? { ...user, blocked: true } : user);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
  if (!blockedEnd.complete) return blockedEnd;
  if (seen.size >= counted) return { complete: true };
  return { complete: false, why: `Auth0 counts ${counted} users and exported ${seen.size}` };
}

/** Takes the ids out of a listing. */
async function collect(
  pages: AsyncGenerator<readonly Auth0User[], UserListingEnd, undefined>,
  into: Set<string>,
): Promise<UserListingEnd> {
  for (;;) {
    const { value, done } = await pages.next();
    if (done === true) return value;
    for (const { user_id: id } of value) into.add(id);
  }
}

/** Lets the file be made. Returns where it is, for a minute. */
async function exported(
  { api, pollMs = POLL_MS }: ExportParts,
  listing: UserListing,
  signal: AbortSignal,
): Promise<URL> {
  const { connection, fields = [] } = listing;
  const names = [...new Set(['user_id', 'created_at', ...fields])];
  const body = {
    format: 'json',
    fields: names.map((name) => ({ name })),
    ...(connection === undefined ? {} : { connection_id: await idOf(api, connection, signal) }),
  };
  const path = ['jobs', 'users-exports'];
  let job = api.parse(jobAnswer, await api.call({ method: 'POST', path, body, reads: true, signal }, [200]));
  for (let wait = pollMs; ; wait = Math.min(wait * 2, pollMs * 10)) {
    if (job.status === 'completed' && job.location !== undefined) return fileAt(job.location);
    if (job.status !== 'pending' && job.status !== 'processing' && job.status !== 'completed') {
      throw new LatchgateError('source_unavailable', 'Auth0 could not export its users', {
        detail: { status: job.status.slice(0, 40) },
      });
    }
    await pause(wait, signal).catch(() => {
      throw givenUp(signal);
    });
    job = api.parse(jobAnswer, await api.call({ method: 'GET', path: ['jobs', job.id], signal }, [200]));
  }
}

async function idOf(api: Auth0Api, name: string, signal: AbortSignal): Promise<string> {
  const response = await api.call({ method: 'GET', path: ['connections'], query: { name }, signal }, [200]);
  const found = api.parse(connectionsAnswer, response).find((connection) => connection.name === name);
  if (found !== undefined) return found.id;
  throw new LatchgateError('source_refused', 'Auth0 has no connection of this name', { detail: { connection: name } });
}

function fileAt(location: string): URL {
  if (URL.canParse(location)) {
    const url = new URL(location);
    if (url.protocol === 'https:' || url.protocol === 'http:') return url;
  }
  throw new LatchgateError('source_answer_invalid', 'Auth0 names no place where its export is');
}

/** The link is signed by itself: no token goes there. */
async function* linesOf(
  { streams, timeoutMs }: ExportParts,
  url: URL,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  try {
    const answer = await streams.open({ url, signal, timeoutMs });
    if (answer.status !== 200) {
      answer.end();
      throw new LatchgateError('source_unavailable', 'the file of the export cannot be had', {
        detail: { host: url.host, status: answer.status },
      });
    }
    yield* unzipped(answer.body);
  } catch (thrown) {
    throw asSourceFailure(thrown);
  }
}

async function* unzipped(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const gunzip = createGunzip();
  // What breaks on the way reaches the reader below.
  const fed = pipeline(Readable.from(body), gunzip).catch(() => {});
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  try {
    for await (const piece of gunzip as AsyncIterable<Uint8Array>) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE)
        throw new LatchgateError('source_answer_invalid', 'a line of the export is too long');
      yield* lines.filter((line) => line.trim() !== '');
    }
    if (rest.trim() !== '') yield rest;
  } catch (thrown) {
    if (thrown instanceof LatchgateError) throw thrown;
    const message = 'the file of the export is cut off, no gzip or no UTF-8';
    throw new LatchgateError('source_answer_invalid', message, { cause: thrown });
  } finally {
    gunzip.destroy();
    await fed;
  }
}

function userOf(line: string): Auth0User {
  try {
    return userRecord.parse(JSON.parse(line));
  } catch {
    // Without the cause: it quotes what could not be read.
    throw new LatchgateError('source_answer_invalid', 'a line of the export is not a user');
  }
}
