import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpClient } from '../../../src/ops/http.ts';
import type { Signer } from '../../../src/ops/keys.ts';
import { createSupersetTarget, type SupersetTargetConfig } from '../../../src/targets/superset/target.ts';
import type { Target } from '../../../src/targets/target.ts';
import { type RunningSuperset, startSuperset } from '../../services/superset.ts';
import {
  type AsAdmin,
  AUDIENCE,
  adminByAssertion,
  adminByPassword,
  ISSUER,
  SERVICE,
  targetConfig,
  testSigner,
} from './subject.ts';

export interface RealSuperset {
  readonly superset: RunningSuperset;
  readonly signer: Signer;
  readonly admin: AsAdmin;
  readonly target: Target;
  /** One more gateway instance in front of the same Superset. */
  another(): Target;
  close(): Promise<void>;
}

/** A real Superset, and the target that manages it. */
export async function startReal(signIn: 'assertion' | 'header'): Promise<RealSuperset> {
  const signer = await testSigner();
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-superset-target-'));
  const jwks = join(folder, 'jwks.json');
  writeFileSync(jwks, JSON.stringify({ keys: await signer.publicKeys() }));
  const superset = await startSuperset({
    mode: signIn,
    ...(signIn === 'assertion' ? { jwks, issuer: ISSUER, audience: AUDIENCE } : {}),
    servicePassword: SERVICE.password,
  });
  const clients: { close(): Promise<void> }[] = [];
  const another = () => {
    const http = createHttpClient();
    clients.push(http);
    const config: SupersetTargetConfig = { ...targetConfig(superset.url), sign_in: signIn, timeout: 60_000 };
    return createSupersetTarget({ name: AUDIENCE, config, http, signer, publicUrl: ISSUER });
  };
  const admin =
    signIn === 'assertion' ? adminByAssertion(superset.url, signer) : adminByPassword(superset.url, superset.admin);
  const close = async () => {
    for (const client of clients) await client.close();
    await superset.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { superset, signer, admin, target: another(), another, close };
}
