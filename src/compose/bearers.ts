import type { Config } from '../config/schema.ts';
import type { EndedLogins } from '../login/backchannel-ended.ts';
import { BearerLogins } from '../login/bearer.ts';
import { countEverywhere } from './counts.ts';
import type { Engines } from './engine.ts';
import { outcomeOf } from './outcomes.ts';
import type { ConfiguredLogin } from './providers.ts';

/** API clients; undefined when no login takes access tokens. */
export function composeBearers(
  config: Config,
  { state, metrics, engine }: Engines,
  providers: ReadonlyMap<string, ConfiguredLogin>,
  endedLogins: EndedLogins,
): BearerLogins | undefined {
  const logins = [...providers.values()].flatMap((one) => (one.type === 'oidc' ? (one.accessTokens ?? []) : []));
  if (logins.length === 0) return undefined;
  const { directory, sessions: store, clock, log } = state;
  return new BearerLogins({
    logins,
    store,
    leases: directory.leases,
    people: directory.people,
    endedLogins,
    provisioner: engine,
    absoluteMs: config.session.absolute,
    onOutcome: (login, code) => metrics.login(login, outcomeOf(code), code),
    sharedBegun: countEverywhere(state, 'new access tokens'),
    clock,
    log,
  });
}
