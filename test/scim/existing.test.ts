import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { mappingConfigOf } from '../../src/mapping/config.ts';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { defaultSchema, groupsSchema, identitySchema, rulesSchema } from '../../src/mapping/schema.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { AccountPlan } from '../../src/provisioning/plan.ts';
import type { ScimClient } from '../../src/scim/client.ts';
import { Existing } from '../../src/scim/existing.ts';
import { scimSchema } from '../../src/scim/schema.ts';
import { SCIM_TOKEN, scimUser } from '../journey/scim-client.ts';
import { MemoryTarget } from '../provisioning/memory-target.ts';

const WAIT_MS = 40;

let database: Database;
let now = 1_700_000_000_000;
let existing: Existing;
let okta: ScimClient;
/** Targets that were asked, and those that answer too late. */
let asked: string[];
let slow: Set<string>;
const bi = new MemoryTarget('bi');
const side = new MemoryTarget('side');

beforeEach(async () => {
  database = await openDatabase('sqlite::memory:');
  asked = [];
  slow = new Set();
  bi.accounts.clear();
  side.accounts.clear();
  const scim = scimSchema.parse({ clients: { okta: { tokens: [SCIM_TOKEN] } } });
  const grant = { bi: { groups: ['all'] }, side: { groups: ['all'] } };
  const config = {
    login: {},
    scim,
    identity: identitySchema.parse({}),
    groups: groupsSchema.parse({}),
    rules: rulesSchema.parse({}),
    default: defaultSchema.parse({ grant }),
    targets: { bi: { type: 'superset' as const }, side: { type: 'superset' as const } },
    safety: { privileged: [] },
  };
  const clock = { now: () => now };
  const missing = { users: 'create', groups: 'create', roles: 'refuse' } as const;
  okta = { name: 'okta', config: scim.clients['okta'] as ScimClient['config'], ownerOf: () => 'okta' };
  existing = new Existing({
    database,
    directory: createDirectory(database, clock),
    mapping: compileMapping(mappingConfigOf(config)),
    targets: new Map([bi, side].map((target) => [target.name, { target, missing, timeoutMs: 5_000 }])),
    privileged: [],
    clock,
    waitMs: WAIT_MS,
    preview: async (_desired, { target, timeoutMs }) => {
      asked.push(target.name);
      if (slow.has(target.name)) {
        await sleep(timeoutMs + WAIT_MS);
        throw new LatchgateError('target_unavailable', 'no answer in time');
      }
      return { changes: [{ op: 'create', type: 'user', key: 'ann', reason: '' }] } as unknown as AccountPlan;
    },
  });
});
afterEach(() => database.close());

const comes = (name: string) => existing.refuse(okta, { id: name, attributes: scimUser(name) as never, isNew: true });

it('who has an account in one of several targets is refused, though another does not answer', async () => {
  side.addAccount({ userName: 'ann', profile: { email: 'ann@acme.test' } });
  slow.add('bi');
  await expect(comes('ann')).rejects.toMatchObject({ code: 'scim_account_exists', detail: { target: 'side' } });
  await expect(comes('ben')).resolves.toMatchObject({ decision: { decision: 'allow' } });
});

it('a target that kept one push waiting does not keep those after it waiting, for a while', async () => {
  bi.addAccount({ userName: 'ben', profile: { email: 'ben@acme.test' } });
  slow.add('bi');
  await comes('ann');
  slow.clear();
  await comes('ben');
  await comes('cara');
  expect(asked.filter((name) => name === 'bi')).toHaveLength(1);
  expect(asked.filter((name) => name === 'side')).toHaveLength(3);
  now += 60_000;
  await expect(comes('ben')).rejects.toMatchObject({ code: 'scim_account_exists', detail: { target: 'bi' } });
});
