import { usersDisable, usersEnable, usersList } from '../../src/cli/users.ts';
import type { AccountState, Provisioner } from '../../src/provisioning/provision.ts';
import { newSessionId } from '../../src/session/seal.ts';
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

describe('users list', () => {
  it('shows everybody in a table that no name can disguise', async () => {
    await world.people.setDisabled(bob, true);
    expect(await usersList({}, world, terminal)).toBe(0);
    expect(terminal.lines).toEqual([
      `ID                            NAME            E-MAIL             STATUS    LAST SEEN`,
      `${alice}  Alice           alice@example.com  active    2026-01-02 03:04:06Z`,
      `${bob}  Bob\\u{202e}gnp  -                  disabled  -`,
    ]);
  });

  it('prints one JSON object a line', async () => {
    await usersList({ json: true }, world, terminal);
    expect(terminal.json()).toEqual([
      {
        id: alice,
        displayName: 'Alice',
        email: 'alice@example.com',
        disabled: false,
        createdAt: '2026-01-02T03:04:05.000Z',
        lastSeenAt: '2026-01-02T03:04:06.000Z',
        leftAt: null,
      },
      {
        id: bob,
        displayName: 'Bob\u202egnp',
        email: null,
        disabled: false,
        createdAt: '2026-01-02T03:04:06.000Z',
        lastSeenAt: null,
        leftAt: null,
      },
    ]);
  });
});

describe('users disable and enable', () => {
  let disabled: { person: string; actor: string }[];
  let outcome: Map<string, AccountState>;
  beforeEach(() => {
    disabled = [];
    outcome = new Map();
  });

  /** Stands for the engine, which has its own tests: writes down what it was asked for. */
  const changing = () => {
    const provisioner: Pick<Provisioner, 'disable' | 'enable'> = {
      disable: async (person, { actor }) => {
        disabled.push({ person, actor });
        await world.people.setDisabled(person, true);
        return outcome;
      },
      enable: (person) => world.people.setDisabled(person, false),
    };
    return { ...world, provisioner };
  };

  it('sends a person the way of a leaver, and ends what session there is', async () => {
    const id = newSessionId();
    const session = exampleSession(world.clock.now());
    await world.sessions.save(id, { ...session, identity: { ...session.identity, person: alice } }, HOUR_MS);
    outcome = new Map<string, AccountState>([
      ['superset', { status: 'none' }],
      ['gooddata', { status: 'failed', code: 'target_unavailable', retryable: true, held: [] }],
    ]);
    expect(await usersDisable('alice@example.com', {}, changing(), terminal)).toBe(0);
    expect(disabled).toEqual([{ person: alice, actor: 'operator' }]);
    expect(await world.sessions.load(id)).toBeUndefined();
    expect(terminal.lines).toEqual([`Alice (${alice}) is disabled, and has no session any more`, 'superset: done']);
    expect(terminal.errors).toEqual([
      'gooddata: not done yet (target_unavailable); it is tried again in the background',
    ]);
    const json = makeTerminal();
    await usersDisable(alice, { json: true }, changing(), json);
    expect(json.json()).toEqual([
      {
        id: alice,
        disabled: true,
        targets: [
          { target: 'superset', status: 'none', code: null },
          { target: 'gooddata', status: 'failed', code: 'target_unavailable' },
        ],
      },
    ]);
  });

  it('does not take a part of a name for a person', async () => {
    await expect(usersDisable('ali', {}, changing(), terminal)).rejects.toMatchObject({ code: 'not_found' });
    expect(disabled).toEqual([]);
  });

  it('lets a person in again', async () => {
    await world.people.setDisabled(alice, true);
    expect(await usersEnable('alice', {}, changing(), terminal)).toBe(0);
    expect((await world.people.get(alice))?.disabled).toBe(false);
    expect(terminal.lines).toEqual([`Alice (${alice}) may log in again`]);
  });
});
