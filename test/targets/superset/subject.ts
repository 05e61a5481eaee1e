import type { ActualEntitlement } from '../../../src/model/entitlement.ts';
import { createHttpClient } from '../../../src/ops/http.ts';
import type { Signer } from '../../../src/ops/keys.ts';
import { createSigner } from '../../../src/ops/signer.ts';
import { entitlementId, type RoleOrGroup, recordId } from '../../../src/targets/superset/documents.ts';
import { createSupersetTarget, type SupersetTargetConfig } from '../../../src/targets/superset/target.ts';
import type { Target } from '../../../src/targets/target.ts';
import type { TargetFault, TargetSubject } from '../../conformance/target-subject.ts';
import type { Fault } from '../../emulators/gooddata/faults.ts';
import {
  type SupersetEmulator,
  type SupersetEmulatorOptions,
  startSupersetEmulator,
} from '../../emulators/superset/server.ts';

export const ISSUER = 'https://bi.example.test';
export const AUDIENCE = 'superset';
export const SERVICE = { username: 'latchgate', password: 'service password' };
export const MISSING = { users: 'create', groups: 'create', roles: 'create' } as const;

/** Calls of the security API past the target, as Superset's administrator. */
export type AsAdmin = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: Answer }>;
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
type Answer = any;

export async function testSigner(): Promise<Signer> {
  const values = new Map<string, string>();
  const memory = {
    get: async (name: string) => values.get(name),
    swap: async (name: string, expected: string | undefined, value: string) => {
      if (values.get(name) !== expected) return false;
      values.set(name, value);
      return true;
    },
  };
  const clock = { now: Date.now };
  return createSigner({ values: memory, name: 'assertion', alg: 'ES256', secrets: ['x'.repeat(32)], clock });
}

/** How the administrator signs in to a Superset that takes assertions. */
export function adminByAssertion(url: string, signer: Signer, userName = 'admin'): AsAdmin {
  return async (method, path, body) => {
    const assertion = await signer.sign({ iss: ISSUER, aud: AUDIENCE, sub: userName }, 60);
    return callApi(url, method, path, { 'X-Latchgate-Assertion': assertion }, body);
  };
}

/** The same by password. */
export function adminByPassword(url: string, admin: { username: string; password: string }): AsAdmin {
  let token: string | undefined;
  return async (method, path, body) => {
    if (token === undefined) {
      const { body: login } = await callApi(url, 'POST', 'login', {}, { ...admin, provider: 'db' });
      token = String(login.access_token);
    }
    return callApi(url, method, path, { Authorization: `Bearer ${token}` }, body);
  };
}

async function callApi(url: string, method: string, path: string, headers: Record<string, string>, body?: unknown) {
  const answer = await fetch(`${url}/api/v1/security/${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Answer };
}

/** Through the API, so that the same hand works on the emulator and on the real one. */
export function byHand(admin: AsAdmin): TargetSubject['byHand'] {
  const must = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const { status, body: answer } = await admin(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    return answer;
  };
  const pathOf = ({ kind, id }: ActualEntitlement) => `${kind}s/${recordId(kind as RoleOrGroup, id)}`;
  return {
    createAccount: async ({ userName, givenName, familyName, email }) => {
      const names = { username: userName, first_name: givenName, last_name: familyName, email };
      const { id } = await must('POST', 'users/', { ...names, password: 'by hand', active: true, roles: [4] });
      return { id: String(id) };
    },
    deleteAccount: async (id) => void (await must('DELETE', `users/${id}`)),
    createEntitlement: async (kind, name) => {
      const { id } = await must('POST', `${kind}s/`, { name });
      return { kind, name, id: entitlementId(kind as RoleOrGroup, id) };
    },
    deleteEntitlement: async (entitlement) => void (await must('DELETE', pathOf(entitlement))),
    renameEntitlement: async (entitlement, name) => void (await must('PUT', pathOf(entitlement), { name })),
    give: async (accountId, { kind, id }) => {
      const { result } = await must('GET', `users/${accountId}`);
      const lists = { roles: result.roles.map(idOf), groups: result.groups.map(idOf) } as Record<string, number[]>;
      lists[`${kind}s`]?.push(recordId(kind as RoleOrGroup, id) ?? 0);
      await must('PUT', `users/${accountId}`, lists);
    },
  };
}

const idOf = ({ id }: { id: number }): number => id;

export interface SupersetInMemory {
  readonly emulator: SupersetEmulator;
  readonly target: Target;
  readonly signer: Signer;
  readonly admin: AsAdmin;
  /** One more gateway instance in front of the same Superset. */
  another(config?: Partial<SupersetTargetConfig>): Target;
  close(): Promise<void>;
}

/** A Superset in memory and the target that manages it. */
export async function startInMemory(
  config: Partial<SupersetTargetConfig> = {},
  emulated: Partial<SupersetEmulatorOptions> = {},
): Promise<SupersetInMemory> {
  const signer = await testSigner();
  const signIn = config.sign_in ?? 'assertion';
  const emulator = await startSupersetEmulator({
    signIn,
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks: async () => ({ keys: await signer.publicKeys() }),
    seed: { adminPassword: 'admin password', servicePassword: SERVICE.password },
    ...emulated,
  });
  const clients: { close(): Promise<void> }[] = [];
  const another = (more: Partial<SupersetTargetConfig> = {}) => {
    const http = createHttpClient();
    clients.push(http);
    return createSupersetTarget({
      name: AUDIENCE,
      config: { ...targetConfig(emulator.url), ...config, ...more },
      http,
      signer,
      publicUrl: ISSUER,
      ...(emulated.clock === undefined ? {} : { clock: { now: emulated.clock } }),
    });
  };
  const admin =
    signIn === 'assertion'
      ? adminByAssertion(emulator.url, signer)
      : adminByPassword(emulator.url, { username: 'admin', password: 'admin password' });
  const close = async () => {
    for (const client of clients) await client.close();
    await emulator.close();
  };
  return { emulator, target: another(), signer, admin, another, close };
}

export function targetConfig(url: string): SupersetTargetConfig {
  return {
    url,
    sign_in: 'assertion',
    service_account: SERVICE.username,
    service_password: SERVICE.password,
    timeout: 2_000,
    missing: MISSING,
  };
}

const FAULTS: Readonly<Record<TargetFault, Fault>> = {
  unauthorized: { status: 401 },
  failing: { status: 500 },
  html: { html: true },
  hanging: { delayMs: 60_000 },
  reset: { reset: true },
  rate_limited: { rateLimit: { perSecond: 0, retryAfter: 7 } },
  answer_lost: { match: (method) => method === 'POST', times: 1, dropAfterApply: true },
};

/** The emulator for the conformance suite. */
export async function inMemorySubject(config: Partial<SupersetTargetConfig> = {}): Promise<TargetSubject> {
  const { emulator, target, admin, close } = await startInMemory({ timeout: 3_000, ...config });
  return {
    target,
    missing: MISSING,
    base: [{ kind: 'role', name: 'Gamma' }],
    byHand: byHand(admin),
    faults: { set: (fault) => emulator.faults.set(FAULTS[fault]), clear: () => emulator.faults.clear() },
    cleanup: close,
  };
}
