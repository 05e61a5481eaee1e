import { createHttpClient } from '../../../src/ops/http.ts';
import { createScimTarget } from '../../../src/targets/scim/target.ts';
import { describeTarget } from '../../conformance/target.ts';
import type { TargetSubject } from '../../conformance/target-subject.ts';
import { startScim2Server } from '../../services/scim2-server.ts';
import { SKIPPED } from './subject.ts';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
const MISSING = { users: 'create', groups: 'create', roles: 'refuse' } as const;

/** The reference server of the scim2 Python packages, and what a person could do there by hand. */
async function realSubject(): Promise<TargetSubject> {
  const server = await startScim2Server();
  const http = createHttpClient();
  const config = { url: server.url, token: server.token, timeout: 20_000, missing: MISSING };
  const target = createScimTarget({ name: 'hub', config, http });

  const call = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await fetch(`${server.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/scim+json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok && !(method === 'DELETE' && answer.status === 404))
      throw new Error(`scim2-server: ${method} ${path}: ${answer.status} ${text}`);
    return text === '' || method === 'DELETE' ? '' : (JSON.parse(text) as { readonly id: string }).id;
  };
  const patch = (path: string, op: string, where: string, value: unknown) =>
    call('PATCH', path, { schemas: [PATCH], Operations: [{ op, path: where, value }] });

  return {
    target,
    missing: MISSING,
    byHand: {
      createAccount: async ({ userName, externalId, givenName, familyName, email }) => ({
        id: await call('POST', '/Users', {
          schemas: [USER],
          userName,
          ...(externalId === undefined ? {} : { externalId }),
          name: { givenName, familyName },
          emails: [{ value: email, primary: true }],
          active: true,
        }),
      }),
      deleteAccount: async (id) => void (await call('DELETE', `/Users/${id}`)),
      createEntitlement: async (kind, name) => {
        const id = await call('POST', '/Groups', { schemas: [GROUP], displayName: name });
        return { kind, name, id };
      },
      deleteEntitlement: async ({ id }) => void (await call('DELETE', `/Groups/${id}`)),
      renameEntitlement: async ({ id }, name) => void (await patch(`/Groups/${id}`, 'replace', 'displayName', name)),
      give: async (accountId, { id }) => void (await patch(`/Groups/${id}`, 'add', 'members', [{ value: accountId }])),
    },
    cleanup: async () => {
      await http.close();
      await server.stop();
    },
  };
}

describeTarget('SCIM on scim2-server', realSubject, {
  kinds: ['group'],
  skip: {
    ...SKIPPED,
    'knows its own account and protects it': 'the token of the reference server is nobody’s',
    'writes a group of several accounts and never to our own among them': 'the same',
    ...Object.fromEntries(
      [
        'fails with target_refused when the backend refuses our service account, and goes on afterwards',
        'fails with target_unavailable when the backend answers 500, and goes on afterwards',
        'fails with target_answer_invalid when the backend answers a page instead of its API, and goes on afterwards',
        'fails with target_unavailable when the backend does not answer, and goes on afterwards',
        'fails with target_unavailable when the backend resets the connection, and goes on afterwards',
        'says when to come back when the backend asks for patience',
        'ends with one account when the answer to its creation is lost',
        'gives up when the caller does',
        'says of each set about a group that it failed when the backend does, and goes on afterwards',
      ].map((title) => [title, 'the reference server does not fail by itself; the emulator does']),
    ),
  },
  timeoutMs: 120_000,
});
