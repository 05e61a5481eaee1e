import fc from 'fast-check';
import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { readBody } from '../../../src/scim/protocol/body.ts';
import { compileFilter } from '../../../src/scim/protocol/evaluate.ts';
import { parseFilter } from '../../../src/scim/protocol/parse-filter.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { userType } from '../../../src/scim/protocol/resource-types.ts';
import { type RunningScim2Server, startScim2Server } from '../../services/scim2-server.ts';

/* The same users, patches and filters given to us and to the reference server of the scim2 packages. */

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

let server: RunningScim2Server;
let users = 0;

beforeAll(async () => {
  server = await startScim2Server();
}, 600_000);
afterAll(() => server?.stop());

async function call(method: string, path: string, body?: object): Promise<{ status: number; json: ScimObject }> {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/scim+json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, json: text === '' ? {} : JSON.parse(text) };
}

async function create(user: object): Promise<{ id: string; attributes: ScimObject }> {
  const body = { schemas: [USER, ENTERPRISE], ...user, userName: `${user['userName' as never] ?? 'user'}-${++users}` };
  const { status, json } = await call('POST', '/Users', body);
  expect(status).toBe(201);
  return { id: String(json['id']), attributes: readBody(userType, body).attributes };
}

const type = fc.constantFrom('work', 'home', 'other');
const address = fc.constantFrom('ann@acme.test', 'bob@acme.test', 'Cid@Example.test');
const emails = fc.uniqueArray(fc.record({ value: address, type }), { selector: ({ value }) => value, maxLength: 3 });
const user = fc.record(
  {
    title: fc.constantFrom('Guide', 'guide', 'Boss'),
    nickName: fc.constantFrom('A', 'b'),
    active: fc.boolean(),
    name: fc.record(
      { givenName: fc.constantFrom('Ann', 'Bob'), familyName: fc.constantFrom('Adams', 'Berg') },
      { requiredKeys: ['givenName'] },
    ),
    emails: emails.filter(({ length }) => length > 0),
    [ENTERPRISE]: fc.record({ department: fc.constantFrom('Tours', 'tours', 'Money') }),
  },
  { requiredKeys: [] },
);

describe('a patch', () => {
  const text = fc.constantFrom('x', 'y');
  const simple = fc.constantFrom(
    'title',
    'nickName',
    'name.givenName',
    'name.middleName',
    `${ENTERPRISE}:department`,
    `${ENTERPRISE}:costCenter`,
  );
  const set = fc.constantFrom('add', 'replace');
  const email = fc.record({ value: address, type }, { requiredKeys: ['value'] });
  const picked = fc.oneof(
    type.map((value) => `emails[type eq "${value}"]`),
    address.map((value) => `emails[value eq "${value}"]`),
    fc.tuple(type, address).map(([one, other]) => `emails[type eq "${one}" and value eq "${other}"]`),
    fc.tuple(type, address).map(([one, other]) => `emails[not (type eq "${one}") or value eq "${other}"]`),
  );
  const operation = fc.oneof(
    fc.record({ op: set, path: simple, value: text }),
    fc.record({ op: fc.constant('remove'), path: fc.oneof(simple, fc.constantFrom('name', 'emails', ENTERPRISE)) }),
    fc.record({
      op: set,
      path: fc.constant('name'),
      value: fc.record({ givenName: text, honorificPrefix: text }, { requiredKeys: [] }),
    }),
    fc.record({ op: set, path: fc.constant('emails'), value: fc.array(email, { minLength: 1, maxLength: 2 }) }),
    fc.record({ op: fc.constant('remove'), path: picked }),
    fc.record({ op: fc.constant('replace'), path: picked.map((path) => `${path}.display`), value: text }),
    fc.record({
      op: set,
      value: fc.record({ title: text, name: fc.record({ familyName: text }) }, { requiredKeys: [] }),
    }),
  );

  /** The reference keeps what is there twice (RFC 7643 §2.4 says that it should not be). */
  const comparable = (resource: ScimObject): ScimObject => {
    const { schemas: _schemas, id: _id, meta: _meta, ...attributes } = JSON.parse(JSON.stringify(resource));
    const { emails: all = [], ...others } = attributes;
    const sorted = all.map((one: object) => JSON.stringify(Object.fromEntries(Object.entries(one).sort())));
    return { ...others, emails: [...new Set(sorted)] as string[] };
  };

  it('leaves what the reference leaves, and is refused where that refuses', async () => {
    await fc.assert(
      fc.asyncProperty(user, fc.array(operation, { minLength: 1, maxLength: 3 }), async (before, operations) => {
        const { id, attributes } = await create(before);
        const body = { schemas: [PATCH_OP], Operations: operations };
        const { status } = await call('PATCH', `/Users/${id}`, body);
        const { json } = await call('GET', `/Users/${id}`);
        await call('DELETE', `/Users/${id}`);
        let after: ScimObject | undefined;
        try {
          after = applyPatch(userType, attributes, body).attributes;
        } catch {
          expect(status).toBe(400);
          return;
        }
        // It answers 204 to some that change a value within a value.
        expect([200, 204]).toContain(status);
        expect(comparable(after)).toEqual(comparable(json));
      }),
      { numRuns: 200 },
    );
  });
});

describe('a filter', () => {
  const texts = fc.constantFrom('title', 'nickName', 'name.givenName', `${ENTERPRISE}:department`, 'userName');
  const literal = fc.constantFrom('Guide', 'guide', 'Boss', 'Ann', 'b', 'Tours', 'money', 'user', 'o');
  const operator = fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le');
  const leaf = fc.oneof(
    fc.tuple(texts, operator, literal).map(([name, op, value]) => `${name} ${op} "${value}"`),
    texts.map((name) => `${name} pr`),
    fc.constantFrom('emails pr', 'name pr', 'active pr', 'photos pr'),
    fc.boolean().map((value) => `active eq ${value}`),
    fc
      .tuple(fc.constantFrom('eq', 'co', 'sw', 'ew'), address)
      .map(([op, value]) => `emails.value ${op} "${value.slice(0, 20)}"`),
    fc.tuple(type, address).map(([one, value]) => `emails[type eq "${one}" and value eq "${value}"]`),
    fc.tuple(type, address).map(([one, value]) => `emails[type eq "${one}" or not (value eq "${value}")]`),
  );
  const { whole } = fc.letrec<{ whole: string }>((tie) => ({
    whole: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.tuple(tie('whole'), fc.constantFrom('and', 'or'), tie('whole')).map((parts) => parts.join(' ')),
      tie('whole').map((inner) => `(${inner})`),
      tie('whole').map((inner) => `not (${inner})`),
    ),
  }));

  it('finds whom the reference finds', async () => {
    const people = new Map<string, ScimObject>();
    const sizes = new Set<number>();
    for (const one of fc.sample(user, 40)) {
      const { id, attributes } = await create(one);
      people.set(id, attributes);
    }
    await fc.assert(
      fc.asyncProperty(whole, async (filter) => {
        const query = new URLSearchParams({ filter, count: '1000', attributes: 'id' });
        const { status, json } = await call('GET', `/Users?${query}`);
        expect(status).toBe(200);
        const found = ((json['Resources'] ?? []) as readonly ScimObject[]).map(({ id }) => String(id));
        const test = compileFilter(parseFilter(userType, filter));
        const ours = [...people].filter(([, attributes]) => test(attributes)).map(([id]) => id);
        expect(ours.sort()).toEqual(found.sort());
        sizes.add(ours.length);
      }),
      { numRuns: 200 },
    );
    // Filters that find nobody, or everybody, would agree about anything.
    expect(sizes.size).toBeGreaterThan(10);
  });
});
