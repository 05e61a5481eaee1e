import type { ProxyDeps, ProxyTarget } from './deps.ts';
import type { Upstream } from './forward.ts';
import { createHeaderFilter, type FilteredHeaders } from './identity-headers.ts';
import type { Share } from './prepared.ts';
import { createAnswerFilter } from './response-headers.ts';
import { createUpstream, DEFAULT_CONNECTIONS } from './upstream/client.ts';

/** Everything that stands ready for one target. */
export interface TargetDoor {
  readonly target: ProxyTarget;
  readonly upstream: Upstream;
  /** Requests that one person may have under way, and on public routes everybody together. */
  readonly mostAtOnce: number;
  /** What is under way on public routes. */
  readonly strangers: Share;
  /** Absent: the one that we are asked by. */
  readonly host: string | undefined;
  readonly filter: (rawHeaders: readonly string[]) => FilteredHeaders;
  readonly answer: ReturnType<typeof createAnswerFilter>;
}

/** A browser may well ask for so much at once. */
const LEAST_SHARE = 16;

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
    mostAtOnce: Math.max(LEAST_SHARE, Math.ceil((target.timeouts?.connections ?? DEFAULT_CONNECTIONS) / 4)),
    strangers: { underWay: 0 },
    host: target.host === 'upstream' ? new URL(target.url).host : undefined,
    filter: createHeaderFilter({ drop: [...everywhere, ...(target.signIn?.drop ?? [])], dropCookies: reserved }),
    answer: createAnswerFilter({
      forbidden: new Set(deps.cookieNames.map((name) => name.toLowerCase())),
      kept: new Set(kept.map((name) => name.toLowerCase())),
    }),
  };
}
