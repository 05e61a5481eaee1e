import { type Document, objectOf } from './documents.ts';
import { Refusal, type Reply, refusalReply } from './refusal.ts';
import { handleResource, kindOf, type World } from './resources.ts';

const BULK_REQUEST = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

/** RFC 7644 §3.7, without references by bulkId. @throws Refusal */
export function handleBulk(world: World, body: unknown, bytes: number): Reply {
  const { bulk } = world.options;
  if (bulk === undefined) throw new Refusal(501, 'Bulk is not supported');
  const { schemas, Operations: operations, failOnErrors } = objectOf(body, 'the body');
  if (!Array.isArray(schemas) || !schemas.includes(BULK_REQUEST)) {
    throw new Refusal(400, `schemas lacks ${BULK_REQUEST}`, 'invalidSyntax');
  }
  if (!Array.isArray(operations)) throw new Refusal(400, 'there are no Operations', 'invalidSyntax');
  if (operations.length > bulk.maxOperations) throw new Refusal(413, `more than ${bulk.maxOperations} operations`);
  if (bytes > bulk.maxPayloadSize) throw new Refusal(413, `more than ${bulk.maxPayloadSize} bytes`);
  const most = typeof failOnErrors === 'number' ? failOnErrors : Number.POSITIVE_INFINITY;
  const answers: Document[] = [];
  let errors = 0;
  for (const operation of operations) {
    if (errors >= most) break;
    const answer = perform(world, objectOf(operation, 'an operation'));
    if (Number(answer['status']) >= 400) errors += 1;
    answers.push(answer);
  }
  const answered = ['urn:ietf:params:scim:api:messages:2.0:BulkResponse'];
  return { status: 200, json: { schemas: answered, Operations: answers } };
}

function perform(world: World, { method, path, bulkId, data, version }: Document): Document {
  const known = { method, ...(bulkId === undefined ? {} : { bulkId }) };
  try {
    if (typeof method !== 'string' || method === 'GET') throw new Refusal(400, 'no such method', 'invalidSyntax');
    if (method === 'POST' && typeof bulkId !== 'string') throw new Refusal(400, 'bulkId is missing', 'invalidSyntax');
    const [, endpoint, id, more] = String(path).split('/');
    const kind = kindOf(endpoint);
    if (kind === undefined || more !== undefined) throw new Refusal(404, `no ${path}`);
    const ifMatch = typeof version === 'string' ? version : undefined;
    const reply = handleResource(world, { method, kind, id, query: new URLSearchParams(), body: data, ifMatch });
    return { ...known, location: reply.headers?.['location'], status: String(reply.status) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { json } = refusalReply(error.status, error.message, error.scimType);
    return { ...known, status: String(error.status), response: json };
  }
}
