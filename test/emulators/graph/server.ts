import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/*
 * Microsoft's token endpoint and `getMemberObjects` of Graph v1.0 on one address, in the shapes that Microsoft documents;
 * what these refuse is refused.
 */
export interface GraphEmulator {
  /** Both `url` and `authority`. */
  readonly url: string;
  readonly tenant: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Ids of groups, by object id of the user. */
  readonly members: Map<string, readonly string[]>;
  /** How often each was asked. */
  readonly asked: { token: number; members: number; pages: number };
  /** Bodies of the questions. */
  readonly bodies: unknown[];
  /** Ids in one answer. Default: all. */
  pageSize: number;
  /** Application permissions that an administrator has consented to. */
  permissions: string[];
  /** Takes the place of every answer of Graph; undefined: none. */
  fault: ((req: IncomingMessage, res: ServerResponse) => void) | undefined;
  /** In place of the address of the next page. */
  nextLink: string | undefined;
  /** Tokens that were given are good no more. */
  revoke(): void;
  close(): Promise<void>;
}

const SUFFICIENT = ['User.Read.All', 'Directory.Read.All', 'User.ReadWrite.All', 'Directory.ReadWrite.All'];
/** Of one application, beyond which Graph answers Directory_ResultSizeLimitExceeded. */
const MOST_GROUPS = 11_000;

export async function startGraph(): Promise<GraphEmulator> {
  const tokens = new Set<string>();
  const server = createServer((req, res) => {
    handle(emulator, tokens, req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const emulator: GraphEmulator = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tenant: randomUUID(),
    clientId: randomUUID(),
    clientSecret: `secret~${randomUUID()}`,
    members: new Map(),
    asked: { token: 0, members: 0, pages: 0 },
    bodies: [],
    pageSize: Number.POSITIVE_INFINITY,
    permissions: ['User.Read.All'],
    fault: undefined,
    nextLink: undefined,
    revoke: () => tokens.clear(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return emulator;
}

async function handle(graph: GraphEmulator, tokens: Set<string>, req: IncomingMessage, res: ServerResponse) {
  const url = new URL(req.url ?? '/', graph.url);
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString();
  if (url.pathname.endsWith('/oauth2/v2.0/token')) return answerToken(graph, tokens, req, res, url, body);
  if (graph.fault !== undefined) return graph.fault(req, res);
  const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1] ?? '';
  if (!tokens.has(token)) return refuse(res, 401, 'InvalidAuthenticationToken', 'Access token is empty or invalid.');
  const id = /^\/v1\.0\/users\/([^/]+)\/getMemberObjects$/.exec(url.pathname)?.[1];
  if (id === undefined) return refuse(res, 400, 'BadRequest', 'Resource not found for the segment.');
  if (!graph.permissions.some((one) => SUFFICIENT.includes(one))) {
    return refuse(res, 403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.');
  }
  const skip = url.searchParams.get('$skiptoken');
  if (req.method !== (skip === null ? 'POST' : 'GET'))
    return refuse(res, 405, 'Request_BadRequest', 'Method not allowed.');
  if (skip === null && !isQuestion(graph, req, body)) {
    return refuse(res, 400, 'Request_BadRequest', 'Invalid value for securityEnabledOnly.');
  }
  return answerMembers(graph, res, id, Number(skip ?? 0));
}

function answerToken(
  graph: GraphEmulator,
  tokens: Set<string>,
  req: IncomingMessage,
  res: ServerResponse,
  url: URL,
  body: string,
) {
  graph.asked.token += 1;
  const form = new URLSearchParams(body);
  const isForm = req.method === 'POST' && req.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
  if (!isForm || form.get('grant_type') !== 'client_credentials') {
    return refuseToken(res, 400, 'invalid_request', 'AADSTS900144', 900144);
  }
  if (url.pathname !== `/${graph.tenant}/oauth2/v2.0/token`) {
    return refuseToken(res, 400, 'invalid_request', 'AADSTS90002: Tenant not found.', 90002);
  }
  if (form.get('scope') !== `${graph.url}/.default`) {
    return refuseToken(res, 400, 'invalid_scope', 'AADSTS1002012', 1002012);
  }
  if (form.get('client_id') !== graph.clientId) {
    return refuseToken(res, 400, 'unauthorized_client', 'AADSTS700016', 700016);
  }
  if (form.get('client_secret') !== graph.clientSecret) {
    return refuseToken(res, 401, 'invalid_client', 'AADSTS7000215: Invalid client secret provided.', 7000215);
  }
  const token = randomUUID();
  tokens.add(token);
  send(res, 200, { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: token });
}

function isQuestion(graph: GraphEmulator, req: IncomingMessage, body: string): boolean {
  if (!req.headers['content-type']?.startsWith('application/json')) return false;
  const parsed = JSON.parse(body) as { readonly securityEnabledOnly?: unknown };
  graph.asked.members += 1;
  graph.bodies.push(parsed);
  return typeof parsed.securityEnabledOnly === 'boolean';
}

function answerMembers(graph: GraphEmulator, res: ServerResponse, id: string, from: number) {
  const all = graph.members.get(id);
  if (all === undefined) {
    return refuse(res, 404, 'Request_ResourceNotFound', `Resource '${id}' does not exist.`);
  }
  if (all.length > MOST_GROUPS)
    return refuse(res, 403, 'Directory_ResultSizeLimitExceeded', 'The result set is too large.');
  graph.asked.pages += 1;
  const to = from + graph.pageSize;
  const next = graph.nextLink ?? `${graph.url}/v1.0/users/${id}/getMemberObjects?$skiptoken=${to}`;
  send(res, 200, {
    '@odata.context': `${graph.url}/v1.0/$metadata#Collection(Edm.String)`,
    ...(to < all.length ? { '@odata.nextLink': next } : {}),
    value: all.slice(from, to),
  });
}

function refuse(res: ServerResponse, status: number, code: string, message: string) {
  const ids = { date: new Date().toISOString(), 'request-id': randomUUID(), 'client-request-id': randomUUID() };
  send(res, status, { error: { code, message, innerError: ids } });
}

function refuseToken(res: ServerResponse, status: number, error: string, description: string, code: number) {
  const ids = { timestamp: new Date().toISOString(), trace_id: randomUUID(), correlation_id: randomUUID() };
  send(res, status, { error, error_description: description, error_codes: [code], ...ids });
}

function send(res: ServerResponse, status: number, body: unknown) {
  res
    .writeHead(status, { 'content-type': 'application/json;odata.metadata=minimal;charset=utf-8' })
    .end(JSON.stringify(body));
}
