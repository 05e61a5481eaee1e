import type { Identity } from '../../src/model/person.ts';
import type { AccountState } from '../../src/provisioning/provision.ts';
import type { ProxyDeps, ProxyTarget } from '../../src/proxy/deps.ts';
import { PreparedSession, type PreparedTarget } from '../../src/proxy/prepared.ts';
import { alice, ready } from './harness.ts';

/** Answers that are held back until they are let go, in the order of asking. */
class Held<T> {
  readonly waiting: ((value: T) => void)[] = [];
  readonly ask = (): Promise<T> => new Promise((resolve) => this.waiting.push(resolve));
}

interface Stage {
  readonly prepared: PreparedTarget;
  readonly accounts: Held<AccountState>;
  readonly signIns: Held<void>;
  readonly clock: { at: number; now(): number };
}

const tick = () => new Promise((resolve) => setImmediate(resolve));

function stage(): Stage {
  const clock = { at: 1_800_000_000_000, now: () => clock.at };
  const accounts = new Held<AccountState>();
  const signIns = new Held<void>();
  const target: ProxyTarget = {
    name: 'main',
    url: 'http://backend',
    signIn: {
      drop: [],
      headers: async ({ userName }) => {
        await signIns.ask();
        return { set: { 'x-signed': userName }, validForSeconds: 600 };
      },
    },
  };
  const signer = { sign: async ({ groups }: { groups: readonly string[] }) => `of:${groups.join('+')}` };
  const log = { error() {}, warn() {}, info() {}, debug() {} };
  const deps = { account: accounts.ask, signer, clock, log } as unknown as ProxyDeps;
  const session = new PreparedSession({ handle: 'h' }, { underWay: 0 });
  return { prepared: session.for(target, deps), accounts, signIns, clock };
}

const before: Identity = { ...alice, groups: ['admins'] };
const after: Identity = { ...alice, groups: ['viewers'] };

async function lines(made: ReturnType<PreparedTarget['headers']>): Promise<string> {
  return (await made).lines.join('');
}

it('what was begun for a former identity and ends late is not said of the present one', async () => {
  const { prepared, accounts, signIns, clock } = stage();
  const late = prepared.headers(before);
  const present = prepared.headers(after);
  accounts.waiting[1]?.(ready('alice'));
  await tick();
  signIns.waiting[0]?.();
  expect(await lines(present)).toMatch(/X-Forwarded-Groups: viewers[\s\S]*of:viewers/);
  accounts.waiting[0]?.(ready('alice'));
  await tick();
  signIns.waiting[1]?.();
  expect(await lines(late)).toMatch(/X-Forwarded-Groups: admins[\s\S]*of:admins/);
  for (const waitMs of [0, 1_500, 1_500]) {
    clock.at += waitMs;
    const next = prepared.headers(after);
    accounts.waiting.at(-1)?.(ready('alice'));
    await tick();
    signIns.waiting.at(-1)?.();
    expect(await lines(next)).toMatch(/X-Forwarded-Groups: viewers[\s\S]*of:viewers/);
  }
});

it('another account is never signed in to with what was made for the one before', async () => {
  const { prepared, accounts, signIns, clock } = stage();
  for (const userName of ['alice', 'alice.new']) {
    const made = prepared.headers(after);
    accounts.waiting.at(-1)?.(ready(userName));
    await tick();
    signIns.waiting.at(-1)?.();
    expect(await lines(made)).toContain(`x-signed: ${userName}\r\n`);
    clock.at += 1_500;
  }
});
