import type { Config } from '../config/schema.ts';
import type { EndedLogins } from '../login/backchannel-ended.ts';
import { BearerLogins } from '../login/bearer.ts';
import type { OidcProvider } from '../login/oidc.ts';
import { countEverywhere } from './counts.ts';
import type { Engines } from './engine.ts';

/** API clients; undefined when no login takes access tokens. */
export function composeBearers(
  config: Config,
  { state, metrics, engine }: Engines,
  providers: ReadonlyMap<string, OidcProvider>,
  endedLogins: EndedLogins,
): BearerLogins | undefined {
  const logins = [...providers.values()].flatMap(({ accessTokens }) => accessTokens ?? []);
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
    onOutcome: (login, code) => metrics.login(login, code === 'ok' ? 'allow' : 'deny', code),
    sharedBegun: countEverywhere(state, 'new access tokens'),
    clock,
    log,
  });
}
