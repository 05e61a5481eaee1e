import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { run } from '../../src/cli/program.ts';
import { openDatabase } from '../../src/directory/database.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { refusalOn } from './browser.ts';
import { BOTH, gooddataUser, person, supersetPeople } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// Commands on the state of a gateway that runs.
let journey: Journey;

beforeAll(async () => {
  const people = ['ann', 'tim'].map((sub) => person(sub, { groups: ['team-a', 'team-b'] }));
  const rules = `${BOTH['rules']}
  suspended:
    when: { groups: suspended }
    deny: Your access is suspended.`;
  journey = await startJourney({
    people: [...people, person('sue', { groups: ['suspended'] })],
    sections: { ...BOTH, rules },
  });
  await journey.logIn('ann');
  await until('both targets', () => supersetPeople(journey.superset.state).includes('ann') || undefined);
});
afterAll(() => journey.close());

describe('users', () => {
  it('list and show: people, subjects, accounts, grants with rule and origin; no claim that no attribute is made of', async () => {
    expect((await journey.cli('users', 'list')).out).toContain('ann@acme.test');
    const { code, out } = await journey.cli('users', 'show', 'ann@acme.test', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      subjects: [{ issuer: journey.idp.issuer, subject: 'ann', origin: 'acme' }],
      grants: expect.arrayContaining([
        expect.objectContaining({ target: 'superset', kind: 'role', name: 'Gamma', rule: 'everybody', origin: 'acme' }),
      ]),
    });
    // Claims that no attribute is made of.
    expect(out).not.toMatch(/"(nonce|aud|iat|at_hash)"/);
    expect((await journey.cli('users', 'show', 'ann')).out).toContain('team-a');
  });

  it('somebody whom nobody knows: 1', async () => {
    for (const command of ['show', 'disable', 'enable']) {
      const answer = await journey.cli('users', command, 'who-is-this');
      expect(answer).toMatchObject({ code: 1, err: expect.stringMatching(/^not_found: /) });
    }
  });

  it('disable while a target is down: 0, and it says which is not done; done later by the gateway', async () => {
    await journey.logIn('tim');
    await until('both targets', () => supersetPeople(journey.superset.state).includes('tim') || undefined);
    journey.gooddata.faults.set({ status: 500, match: (_method, path) => path.startsWith('/api/v1/entities/users') });
    const { code, out, err } = await journey.cli('users', 'disable', 'tim@acme.test');
    expect(code).toBe(0);
    expect(out).toContain('superset: done');
    expect(err).toMatch(/^gooddata: not done yet \(target_unavailable\)/);
    journey.gooddata.faults.clear();
    const groups = () => gooddataUser(journey.gooddata.state, 'tim')?.groups.length;
    await until('the retry', () => groups() === 0 || undefined, 30_000);
  }, 60_000);
});

describe('why, sessions, audit', () => {
  it('why: a refusal in its words, and 1 for what nobody knows', async () => {
    const refused = refusalOn(await journey.logIn('sue'));
    const { code, out } = await journey.cli('why', refused.requestId);
    expect(code).toBe(0);
    expect(out).toContain('Your access is suspended.');
    expect(JSON.parse((await journey.cli('why', refused.requestId, '--json')).out)).toMatchObject({
      code: 'denied_by_rule',
      outcome: 'deny',
    });
    expect(await journey.cli('why', 'never-seen')).toMatchObject({ code: 1, err: expect.stringMatching(/^not_found/) });
  });

  it('sessions list and end', async () => {
    await journey.logIn('ann');
    const { code, out } = await journey.cli('sessions', 'list', '--json');
    expect(code).toBe(0);
    expect(out).toContain('"displayName":"ann","origin":"acme"');
    expect((await journey.cli('sessions', 'list')).out).toContain('ann');
    expect(JSON.parse((await journey.cli('sessions', 'end', '--user', 'ann', '--json')).out).ended).toBeGreaterThan(0);
    expect((await journey.cli('sessions', 'list', '--json')).out).toBe('');
    expect(await journey.cli('sessions', 'end', '--id', 'not-one')).toMatchObject({ code: 0, out: '0 sessions ended' });
  });

  it('audit list: who, when, which rule, before and after; verify: 0, and 5 once somebody changed a record', async () => {
    const { code, out } = await journey.cli('audit', 'list', '--user', 'ann@acme.test', '--json');
    expect(code).toBe(0);
    const records = out.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    const given = records.find(({ event, key }) => event === 'grant.given' && key === 'group:team-a');
    expect(given).toMatchObject({ rule: 'same-name', origin: 'acme', requestId: expect.any(String) });
    const made = records.find(({ event }) => event === 'account.created');
    expect(made).toMatchObject({ after: expect.objectContaining({ email: 'ann@acme.test' }) });
    expect((await journey.cli('audit', 'list', '--since', '1h')).out).toContain('account.created');
    expect(await journey.cli('audit', 'verify')).toMatchObject({ code: 0, out: expect.stringMatching(/chain holds$/) });
    const database = await openDatabase(`sqlite:${join(journey.folder, 'latchgate.db')}`, {
      log: { warn: () => {}, info: () => {} } as never,
    });
    await database.run((db) => sql`update audit_records set body = replace(body, 'same-name', 'other')`.execute(db));
    await database.close();
    expect(await journey.cli('audit', 'verify')).toMatchObject({
      code: 5,
      err: expect.stringMatching(/^audit_broken/),
    });
  });

  it('a state that cannot be opened: 1, and a sentence', async () => {
    const notes = 'Notes of somebody, and no database at all. '.repeat(100);
    writeFileSync(join(journey.folder, 'notes.txt'), notes);
    const config = join(journey.folder, 'wrong-state.yaml');
    writeFileSync(config, readFileSync(journey.configFile, 'utf8').replace('./latchgate.db', './notes.txt'));
    const terminal = makeTerminal({ ...journey.env });
    expect(await run(['users', 'list', '--config', config], terminal)).toBe(1);
    expect(terminal.errors.join()).toMatch(/^state_unavailable: /);
    expect(readFileSync(join(journey.folder, 'notes.txt'), 'utf8')).toBe(notes);
  });
});
