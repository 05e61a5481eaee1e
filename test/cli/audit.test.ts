import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { sql } from 'kysely';
import { Checkpoints } from '../../src/audit/checkpoints.ts';
import { createAudit } from '../../src/audit/log.ts';
import { auditList } from '../../src/cli/audit.ts';
import { auditCheckpoint } from '../../src/cli/audit-checkpoint.ts';
import { auditExport } from '../../src/cli/audit-export.ts';
import { auditKey, auditVerify } from '../../src/cli/audit-verify.ts';
import type { Signer } from '../../src/ops/keys.ts';
import { createSigner } from '../../src/ops/signer.ts';
import { makeTerminal, type Terminal } from './terminal.ts';
import { makeWorld, type World } from './world.ts';

const HOUR_MS = 3_600_000;

let world: World;
let terminal: Terminal;
let alice: string;
let bob: string;

beforeEach(async () => {
  world = await makeWorld();
  ({ alice, bob } = world);
  terminal = makeTerminal();
});
afterEach(() => world.close());

describe('audit list', () => {
  beforeEach(async () => {
    await world.audit.append([
      { event: 'login.allowed', actor: alice, person: alice, origin: 'staff', requestId: 'r1' },
      { event: 'account.created', actor: 'x\u001b[2J', person: bob, target: 'superset', before: null, after: { a: 1 } },
    ]);
    world.clock.fastForward(HOUR_MS);
    await world.audit.append([{ event: 'login.refused', actor: alice, person: alice, code: 'denied_by_rule' }]);
  });

  it('prints a line a record, which no value can disguise', async () => {
    expect(await auditList({}, world, terminal)).toBe(0);
    expect(terminal.lines).toEqual([
      `     1  2026-01-02 03:04:06Z  login.allowed  by ${alice}  person=${alice}  origin=staff  requestId=r1`,
      `     2  2026-01-02 03:04:06Z  account.created  by x\\u{1b}[2J  person=${bob}  target=superset  before=null  after={"a":1}`,
      `     3  2026-01-02 04:04:06Z  login.refused  by ${alice}  person=${alice}  code=denied_by_rule`,
    ]);
  });

  it('prints a JSON object a line, its members in one order', async () => {
    await auditList({ json: true, user: 'Alice' }, world, terminal);
    expect(terminal.lines[0]).toMatch(
      /^\{"seq":1,"at":"2026-01-02T03:04:06\.000Z","event":"login\.allowed","actor":"p_\w+","person":"p_\w+","origin":"staff","requestId":"r1","hash":"[0-9a-f]{64}"\}$/,
    );
    expect(terminal.lines).toHaveLength(2);
  });

  it.each([
    ['30m', [3]],
    ['2h', [1, 2, 3]],
    ['2026-01-02', [1, 2, 3]],
    ['2026-01-02T04:00:00Z', [3]],
    ['2026-01-02T04:00:00+01:00', [1, 2, 3]],
  ])('takes --since %s', async (since, expected) => {
    await auditList({ since, json: true }, world, terminal);
    expect(terminal.json().map((record) => (record as { seq: number }).seq)).toEqual(expected);
  });

  it.each(['yesterday', '1', '-5m', '2026-99-99', '2026', ''])('refuses --since %j', async (since) => {
    await expect(auditList({ since }, world, terminal)).rejects.toMatchObject({ code: 'usage' });
  });

  it('refuses a user whom nobody knows', async () => {
    await expect(auditList({ user: 'nobody' }, world, terminal)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('audit verify', () => {
  beforeEach(() => world.audit.append([1, 2, 3].map((at) => ({ event: 'x', actor: 'y', key: `k${at}` }))));

  it('ends with 0 when the chain holds', async () => {
    expect(await auditVerify(world, terminal)).toBe(0);
    expect(await auditVerify(world, terminal, { json: true })).toBe(0);
    expect(terminal.lines).toEqual([
      '3 records, the chain holds',
      '{"ok":true,"records":3,"firstBad":null,"why":null,"from":null,"removedAt":null,"signedUpTo":null,"signedAt":null}',
    ]);
  });

  it('ends with 5 and names the first record that does not hold', async () => {
    await world.database.run((db) => sql`update audit_records set body = replace(body, 'k2', 'k9')`.execute(db));
    expect(await auditVerify(world, terminal)).toBe(5);
    expect(terminal.errors.join()).toMatch(/^audit_broken: record 2 is the first that does not hold/);
    expect(await auditVerify(world, terminal, { json: true })).toBe(5);
    expect(terminal.json()).toMatchObject([{ ok: false, records: 1, firstBad: 2 }]);
  });
});

describe('audit verify, export, checkpoint and key, with files', () => {
  let folder: string;
  let signer: Signer;
  let deps: World & { readonly auditSigner: Signer };
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const printed = async (work: (io: Terminal) => Promise<number>): Promise<string> => {
    const io = makeTerminal();
    expect(await work(io)).toBe(0);
    return `${io.lines.join('\n')}\n`;
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'latchgate-audit-'));
    const { database, clock } = world;
    signer = createSigner({ values: world.values, name: 'audit', alg: 'ES256', secrets: ['x'.repeat(32)], clock });
    const audit = createAudit(database, clock, signer);
    deps = { ...world, audit, auditSigner: signer };
    await audit.append([1, 2, 3].map((at) => ({ event: 'x', actor: 'y', key: `k${at}`, after: 'ö' })));
    const log = { error() {}, warn() {}, info() {}, debug() {} };
    await new Checkpoints({ ...deps, signer, log, records: 2, everyMs: 0 }).look(new AbortController().signal);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('says how far it is signed', async () => {
    expect(await printed((io) => auditVerify(deps, io))).toBe(
      '3 records, the chain holds; signed up to 3, 2026-01-02 03:04:06Z\n',
    );
  });

  it('holds it against checkpoints and keys that were kept elsewhere', async () => {
    const checkpoint = file('checkpoints', await printed((io) => auditCheckpoint({ all: true }, deps, io)));
    const key = file('keys.json', await printed((io) => auditKey(deps, io)));
    expect(readFileSync(checkpoint, 'utf8').trim().split('\n')).toHaveLength(2);
    expect(readFileSync(checkpoint, 'utf8')).toContain(await printed((io) => auditCheckpoint({}, deps, io)));
    expect(await auditVerify(deps, terminal, { checkpoint, key })).toBe(0);
    await world.database.run((db) => sql`delete from audit_records where seq > 1`.execute(db));
    await world.database.run((db) => sql`delete from audit_checkpoints`.execute(db));
    await world.database.run((db) =>
      sql`update audit_head set seq = 1, hash = (select hash from audit_records)`.execute(db),
    );
    expect(await auditVerify(deps, terminal)).toBe(0);
    expect(await auditVerify(deps, terminal, { checkpoint, key })).toBe(5);
    expect(terminal.errors.at(-1)).toMatch(/^audit_broken: record 2 .* a checkpoint of 2026-01-02T03:04:06/);
  });

  it('does not take a checkpoint that other keys signed', async () => {
    const checkpoint = file('checkpoint', await printed((io) => auditCheckpoint({}, deps, io)));
    const { publicJwk } = await anotherKey();
    const key = file('key.json', JSON.stringify(publicJwk));
    expect(await auditVerify(deps, terminal, { checkpoint, key })).toBe(5);
    expect(terminal.errors.at(-1)).toMatch(/^audit_broken: record 3 .* no key of ours signed/);
  });

  it.each([
    ['a file that is not there', { checkpoint: '/nowhere/at/all' }, /cannot be read/],
    ['no checkpoint', { checkpoint: 'words' }, /is no checkpoint/],
    ['an empty file', { checkpoint: '' }, /holds no checkpoint/],
    ['no JSON', { key: 'words' }, /is not JSON/],
    ['no keys', { key: '{"keys":[]}' }, /no set of keys/],
    ['keys of another kind', { key: '{"kty":"oct","k":"c2VjcmV0"}' }, /no set of keys/],
  ])('refuses %s', async (_, { checkpoint, key }: { checkpoint?: string; key?: string }, message) => {
    const options = {
      ...(checkpoint === undefined
        ? {}
        : { checkpoint: checkpoint.startsWith('/') ? checkpoint : file('c', checkpoint) }),
      ...(key === undefined ? {} : { key: file('k', key) }),
    };
    await expect(auditVerify(deps, terminal, options)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
  });

  it('exports lines that anybody can check, to standard output or to a file', async () => {
    const lines = await printed((io) => auditExport({}, deps, io));
    const out = join(folder, 'audit.ndjson');
    await printed((io) => auditExport({ out }, deps, io));
    expect(readFileSync(out, 'utf8')).toBe(lines);
    let before = '0'.repeat(64);
    for (const line of lines.trim().split('\n')) {
      const { hash } = JSON.parse(line) as { hash: string };
      const text = `${line.slice(0, line.lastIndexOf(',"hash":"'))}}`;
      expect(
        createHash('sha256')
          .update(before + text)
          .digest('hex'),
      ).toBe(hash);
      before = hash;
    }
    expect(await printed((io) => auditExport({ since: '2030-01-01' }, deps, io))).toBe('\n');
  });
});

async function anotherKey() {
  const { publicKey } = await generateKeyPair('ES256');
  return { publicJwk: await exportJWK(publicKey) };
}
