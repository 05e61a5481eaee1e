import type { Config } from '../../config/schema.ts';
import { systemClock } from '../../ops/clock.ts';
import { createHttpClient } from '../../ops/http.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { createMetrics } from '../../ops/metrics.ts';
import { createSigner } from '../../ops/signer.ts';
import { type ComposedTarget, composeTarget } from '../engine.ts';
import { composeProviders } from '../providers.ts';
import { composeLog, composeState, type State } from '../state.ts';
import { type Examined, finding } from './findings.ts';
import { lookAtFile } from './look-at-file.ts';
import { lookAtLogin } from './look-at-login.ts';
import { lookAtSpoofing } from './look-at-spoofing.ts';
import { lookAtState } from './look-at-state.ts';
import { lookAtStrangers } from './look-at-strangers.ts';
import { lookAtTarget } from './look-at-target.ts';
import { isCode, look, type Patient } from './patient.ts';

export interface Examination {
  readonly configFile: string;
  readonly config: Config;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Tries the wiring of a deployment, from the machine on which it is called: reads, asks and knocks, and writes to no
 * target, whose client refuses to. Every look that fails is named as not done, and ends no other.
 */
export async function examine({ configFile, config, env }: Examination): Promise<readonly Examined[]> {
  const log = composeLog({ ...config, log: { ...config.log, level: 'error' } }, process.stderr);
  const http = createHttpClient({ readOnly: true });
  let state: State | undefined;
  let trouble: unknown;
  try {
    state = await composeState(config, log);
  } catch (thrown) {
    trouble = thrown;
  }
  try {
    const patient = { configFile, config, clock: systemClock, http, ...composed(config, state, http) };
    const looks = [
      ...lookAtFile(patient, env),
      ...lookAtState(patient, trouble),
      ...lookAtStrangers(patient),
      ...Object.entries(config.login).map(([name, login]) =>
        login.type === 'oidc' ? lookAtLogin(name, login, patient) : lookAtSaml(name, patient),
      ),
      ...[...patient.targets].flatMap(([name, target]) => [
        lookAtTarget(name, target, patient),
        ...lookAtSpoofing(name, target, patient),
      ]),
    ];
    return (await Promise.all(looks)).flat();
  } finally {
    await http.close();
    await state?.close();
  }
}

function composed(
  config: Config,
  state: State | undefined,
  http: HttpClient,
): Pick<Patient, 'state' | 'signer' | 'targets'> {
  if (state === undefined) return { targets: new Map() };
  const { directory, clock } = state;
  const { secrets } = config.session;
  const claims = { iss: config.public_url };
  const signer = createSigner({ values: directory.values, name: 'assertion', alg: 'ES256', secrets, clock, claims });
  const targets = Object.entries(config.targets).map(([name, target]): [string, ComposedTarget] => [
    name,
    composeTarget({ name, target, config, state, http, signer }),
  ]);
  return { state, signer, targets: new Map(targets) };
}

async function lookAtSaml(name: string, { config, state }: Patient): Promise<readonly Examined[]> {
  if (state === undefined) return [];
  const about = `login.${name}`;
  const only = { ...config, login: Object.fromEntries(Object.entries(config.login).filter(([key]) => key === name)) };
  return [
    await look(about, 'metadata of the provider', async (signal) => {
      try {
        await (await composeProviders(only, state, createMetrics())).get(name)?.probe(signal);
        return [];
      } catch (thrown) {
        if (isCode(thrown, 'provider_unavailable')) return [finding('provider_unreachable', about, thrown.message)];
        if (isCode(thrown, 'provider_metadata_invalid'))
          return [finding('provider_metadata_invalid', about, thrown.message)];
        throw thrown;
      }
    }),
  ];
}
