import { LatchgateError } from '../../../src/model/errors.ts';
import { createHttpClient } from '../../../src/ops/http.ts';
import type { HttpClient } from '../../../src/ops/http-client.ts';
import { createScimTarget } from '../../../src/targets/scim/target.ts';
import {
  firstLogin,
  granted,
  must,
  patience,
  someone,
  type TargetSubject,
  uniqueName,
} from '../../conformance/target-subject.ts';
import { MISSING, SKIPPED } from './subject.ts';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

const NOBODYS = 'the token of this service is nobody’s';
const FAULTLESS = 'this service does not fail by itself; the emulator does';

/** What no service but the emulator can show. */
export const SKIPPED_OVER_THE_WIRE: Readonly<Record<string, string>> = {
  ...SKIPPED,
  'knows its own account and protects it': NOBODYS,
  'writes a group of several accounts and never to our own among them': NOBODYS,
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
    ].map((title) => [title, FAULTLESS]),
  ),
};

export interface WireSubject extends TargetSubject {
  /** Calls of the target so far, `METHOD endpoint`. */
  readonly calls: readonly string[];
}

/** A service that is only known by its address, and what a person could do there by hand with the same token. */
export function overTheWire(url: string, token: string, stop: () => Promise<void>): WireSubject {
  const client = createHttpClient();
  const calls: string[] = [];
  const http: HttpClient = {
    ...client,
    send: (request) => {
      calls.push(`${request.method} ${request.url.href.slice(url.length + 1).replace(/[/?].*/, '')}`);
      return client.send(request);
    },
  };
  const target = createScimTarget({ name: 'hub', config: { url, token, timeout: 20_000, missing: MISSING }, http });

  const call = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await answer.text();
    const isGone = method === 'DELETE' && answer.status === 404;
    if (!answer.ok && !isGone) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' || isGone ? '' : (JSON.parse(text) as { readonly id: string }).id;
  };
  const patch = async (path: string, op: string, where: string, value: unknown) =>
    void (await call('PATCH', path, { schemas: [PATCH], Operations: [{ op, path: where, value }] }));

  return {
    target,
    calls,
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
      renameEntitlement: ({ id }, name) => patch(`/Groups/${id}`, 'replace', 'displayName', name),
      give: (accountId, { id }) => patch(`/Groups/${id}`, 'add', 'members', [{ value: accountId }]),
    },
    cleanup: async () => {
      await http.close();
      await stop();
    },
  };
}

/** Of a service that offers Bulk. */
export function describeBulk(name: string, start: () => Promise<WireSubject>): void {
  describe(`Bulk of ${name}`, () => {
    let subject: WireSubject;
    beforeAll(async () => {
      subject = await start();
    }, 600_000);
    afterAll(() => subject?.cleanup());

    it('makes several accounts in one call, each as it is made alone', async () => {
      const { target, calls } = subject;
      const entitlements = granted(subject, [{ kind: 'group', name: uniqueName('team') }]);
      const people = Array.from({ length: 5 }, () => someone(subject, { entitlements }));
      const sets = await Promise.all(people.map((person) => firstLogin(subject, person)));
      const before = calls.length;
      const results = must(await target.applyMany?.(sets, patience()));
      expect(calls.slice(before).filter((call) => /Bulk|Users/.test(call))).toEqual(['POST Bulk']);
      for (const result of results) {
        if (result instanceof LatchgateError) throw result;
        const lookup = { accountId: result.account.id, userNames: [] };
        const { accounts } = await target.read({ kind: 'person', lookup }, patience());
        expect([result.outcome, accounts]).toEqual(['applied', [result.account]]);
      }
    });
  });
}
