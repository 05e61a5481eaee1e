import type { Config } from '../config/schema.ts';
import { createDrifts, type Drifts } from '../drift/drifts.ts';
import { createLetStand } from '../drift/let-stand.ts';
import { mappingConfigOf } from '../mapping/config.ts';
import { literalEntitlements } from '../mapping/namable.ts';
import { LatchgateError } from '../model/errors.ts';
import { createHttpClient } from '../ops/http.ts';
import { composeTarget, type Engines, managedBy } from './engine.ts';
import { isShadow } from './shadow.ts';
import { composeSyncs } from './syncs.ts';

export interface ComposedDrifts {
  readonly drifts: Drifts;
  close(): Promise<void>;
}

/** A listing may be long. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Reviews of what targets have. They are read by a client that refuses whatever would write; repairs go by the engine. */
export async function composeDrifts(config: Config, engines: Engines): Promise<ComposedDrifts> {
  const { state, metrics, limiters, mapping, signer, engine, neverTouch, privileged } = engines;
  const { directory, audit, clock, log } = state;
  const http = createHttpClient({
    log,
    limiters,
    onRetry: () => metrics.httpRetry('drift'),
    readOnly: true,
    maxBytes: MAX_BYTES,
  });
  const { adoption, close } = await composeSyncs(config, engines);
  const rules = mappingConfigOf(config);
  const { removals, new_users_per_hour: newUsersPerHour } = config.safety.stop_if;
  const drifts = createDrifts({
    directory,
    audit,
    clock,
    engine,
    adoption,
    mapping,
    match: config.identity.match,
    privileged,
    neverTouch,
    isManaged: managedBy(config),
    named: (target) => literalEntitlements(rules, target),
    letStand: createLetStand(directory.values),
    stopIf: { removals, ...(newUsersPerHour === undefined ? {} : { newUsersPerHour }) },
    ...(config.drift.idle === undefined ? {} : { idleMs: config.drift.idle }),
    isShadow: isShadow(config),
    openTargets: (only) => {
      const chosen = [...engines.targets].filter(([name]) => only === undefined || name === only);
      if (chosen.length === 0) throw new LatchgateError('not_found', `there is no target ${only} in this config`);
      return chosen.map(([name, { config: target, missing }]) => ({
        name,
        missing,
        target: composeTarget({ name, target, config, state, http, signer }).target,
      }));
    },
  });
  return {
    drifts,
    close: async () => {
      await close();
      await http.close();
    },
  };
}
