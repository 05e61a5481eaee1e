import type { ProxyDeps, ProxyTarget } from './deps.ts';
import type { Upstream } from './forward.ts';
import { createHeaderFilter, type FilteredHeaders } from './identity-headers.ts';
import { createAnswerFilter } from './response-headers.ts';
import { createUpstream } from './upstream/client.ts';

/** Everything that stands ready for one target. */
export interface TargetDoor {
  readonly target: ProxyTarget;
  readonly upstream: Upstream;
  /** Absent: the one that we are asked by. */
  readonly host: string | undefined;
  readonly filter: (rawHeaders: readonly string[]) => FilteredHeaders;
  readonly answer: ReturnType<typeof createAnswerFilter>;
}

export function createDoor(target: ProxyTarget, deps: ProxyDeps): TargetDoor {
  const kept = target.backendSession?.cookieNames ?? [];
  const reserved = [...deps.cookieNames, ...kept, ...(target.signIn?.dropCookies ?? [])];
  // A sign-in header of one target is an identity header for all; Authorization is the business of each.
  const everywhere = deps.targets
    .flatMap((one) => one.signIn?.drop ?? [])
    .filter((name) => !/^authorization$/i.test(name));
  return {
    target,
    upstream: createUpstream(target.url, target.timeouts),
    host: target.host === 'upstream' ? new URL(target.url).host : undefined,
    filter: createHeaderFilter({ drop: [...everywhere, ...(target.signIn?.drop ?? [])], dropCookies: reserved }),
    answer: createAnswerFilter({
      forbidden: new Set(deps.cookieNames.map((name) => name.toLowerCase())),
      kept: new Set(kept.map((name) => name.toLowerCase())),
    }),
  };
}
