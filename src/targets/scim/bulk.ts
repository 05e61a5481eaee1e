import { z } from 'zod';
import type { Applied, ChangeSet } from '../../model/change.ts';
import { type Resource, resource } from '../../ops/scim/documents.ts';
import { newUser, toAccount } from './documents.ts';
import type { BulkLimits } from './features.ts';
import type { WriteParts } from './parts.ts';

const BULK_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

const bulkResponse = z.object({
  Operations: z.array(
    z.looseObject({
      bulkId: z.string().nullish(),
      location: z.string().nullish(),
      // RFC 7644 §3.7 has it as a text; some have it as {"code": "201"}.
      status: z.unknown(),
      response: z.unknown().optional(),
    }),
  ),
});

interface Creation {
  readonly set: ChangeSet;
  readonly bulkId: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Beside the operations themselves. */
const ENVELOPE_BYTES = 256;

/**
 * New accounts together, where the service takes them so (RFC 7644 §3.7) and there are several. Who is not in the
 * answer was refused or not done: made by itself, which finds out why.
 */
export async function createMany(
  parts: WriteParts,
  sets: readonly ChangeSet[],
  signal: AbortSignal,
): Promise<ReadonlyMap<ChangeSet, Applied>> {
  const made = new Map<ChangeSet, Applied>();
  if (sets.length < 2) return made;
  const { bulk, users } = await parts.discovery.features(signal).catch(() => ({ bulk: undefined, users: '' }));
  if (bulk === undefined) return made;
  const creations = sets.map((set, at): Creation => ({ set, bulkId: `user-${at}`, body: newUser(set, set.userName) }));
  for (const some of batchesOf(creations, bulk)) {
    if (some.length < 2) continue;
    // A batch whose answer was lost may be done: each then meets its own account as one that is there already.
    if (!(await send(parts, users, some, made, signal).catch(() => false))) break;
  }
  return made;
}

/** False: the service does not take it, whatever it says of itself. */
async function send(
  { api, discovery, stillOurs }: WriteParts,
  users: string,
  creations: readonly Creation[],
  made: Map<ChangeSet, Applied>,
  signal: AbortSignal,
): Promise<boolean> {
  const { ownId } = await discovery.features(signal);
  await stillOurs?.();
  const Operations = creations.map(({ bulkId, body }) => ({ method: 'POST', path: `/${users}`, bulkId, data: body }));
  const call = { method: 'POST', path: ['Bulk'], body: { schemas: [BULK_REQUEST], Operations }, signal } as const;
  const response = await api.call(call, [200, 400, 404, 413, 501]);
  if (response.status !== 200) {
    discovery.learn({ bulk: undefined });
    return false;
  }
  const answers = new Map(api.parse(bulkResponse, response).Operations.map((answer) => [answer.bulkId, answer]));
  for (const { set, bulkId, body } of creations) {
    const answer = answers.get(bulkId);
    const user = answer === undefined || statusOf(answer.status) !== 201 ? undefined : userOf(answer, body);
    if (user !== undefined) made.set(set, { outcome: 'applied', account: toAccount(user, [], ownId) });
  }
  return true;
}

function statusOf(status: unknown): number {
  const code = typeof status === 'object' && status !== null ? (status as Record<string, unknown>)['code'] : status;
  return Number(code);
}

/** As it was answered; else as it was sent, with the id at the end of its address. */
function userOf(
  { response, location }: { readonly response?: unknown; readonly location?: string | null | undefined },
  sent: Readonly<Record<string, unknown>>,
): Resource | undefined {
  const parsed = resource.safeParse(response);
  if (parsed.success && 'userName' in parsed.data) return parsed.data;
  const id = /\/([^/?#]+)$/.exec(location ?? '')?.[1];
  try {
    return id === undefined ? undefined : { ...sent, id: decodeURIComponent(id) };
  } catch {
    return undefined;
  }
}

function batchesOf(creations: readonly Creation[], { operations, bytes }: BulkLimits): readonly Creation[][] {
  const batches: Creation[][] = [];
  let left = 0;
  for (const creation of creations) {
    const size = Buffer.byteLength(JSON.stringify(creation.body)) + ENVELOPE_BYTES;
    const batch = batches.at(-1);
    if (batch !== undefined && batch.length < operations && size <= left) {
      batch.push(creation);
      left -= size;
    } else {
      batches.push([creation]);
      left = bytes - ENVELOPE_BYTES - size;
    }
  }
  return batches;
}
