import { auditList } from '../../src/cli/audit.ts';
import { sessionsEnd, sessionsList } from '../../src/cli/sessions.ts';
import { newSessionId, sessionHandle } from '../../src/session/seal.ts';
import { exampleSession } from '../conformance/session-store.ts';
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

describe('sessions', () => {
  let id: string;
  beforeEach(async () => {
    id = newSessionId();
    const session = exampleSession(world.clock.now());
    await world.sessions.save(id, { ...session, identity: { ...session.identity, person: alice } }, HOUR_MS);
    await world.sessions.save(newSessionId(), { ...session, identity: { ...session.identity, person: bob } }, HOUR_MS);
  });

  it('lists who is there, without a usable id', async () => {
    expect(await sessionsList({}, world, terminal)).toBe(0);
    expect(terminal.lines).toHaveLength(3);
    expect(terminal.lines.join('\n')).toContain(
      `${sessionHandle(id)}  ${alice}  Alice           staff   2026-01-02 03:04:06Z  2026-01-02 03:04:06Z  2026-01-02 15:04:06Z`,
    );
    expect(terminal.lines.join('\n')).not.toContain(id);
    const json = makeTerminal();
    await sessionsList({ json: true }, world, json);
    expect(json.json()).toContainEqual({
      id: sessionHandle(id),
      person: alice,
      displayName: 'Alice',
      origin: 'staff',
      createdAt: '2026-01-02T03:04:06.000Z',
      lastSeenAt: '2026-01-02T03:04:06.000Z',
      endsAt: '2026-01-02T15:04:06.000Z',
    });
  });

  it('ends those of a user, one by its id, or all, and leaves a record', async () => {
    expect(await sessionsEnd({ user: 'alice' }, world, terminal)).toBe(0);
    expect(await world.sessions.load(id)).toBeUndefined();
    const [left] = await world.sessions.list();
    await sessionsEnd({ id: left?.handle ?? '' }, world, terminal);
    await sessionsEnd({ all: true }, world, terminal);
    await sessionsEnd({ all: true, json: true }, world, terminal);
    expect(terminal.lines).toEqual(['1 session ended', '1 session ended', '0 sessions ended', '{"ended":0}']);
    const listed = makeTerminal();
    await auditList({ json: true, user: 'alice' }, world, listed);
    expect(listed.json()).toMatchObject([
      { event: 'sessions.ended', actor: 'operator', person: alice, after: { ended: 1 } },
    ]);
  });

  it.each([{}, { user: 'alice', all: true }, { id: 'x', user: 'alice' }])(
    'wants one of its options: %j',
    async (given) => {
      await expect(sessionsEnd(given, world, terminal)).rejects.toMatchObject({ code: 'usage' });
      expect(await world.sessions.list()).toHaveLength(2);
    },
  );
});
