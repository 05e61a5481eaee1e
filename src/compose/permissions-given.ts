import type { Config } from '../config/schema.ts';
import type { Ledger } from '../directory/ledger.ts';
import type { Clock } from '../ops/clock.ts';

/** The ledger is asked at most so often: what it forgets is only seen as no longer given a little later. */
const REMEMBERED_MS = 60_000;

interface PermissionsGivenOptions {
  readonly target: string;
  readonly config: Pick<Config, 'rules' | 'default' | 'safety'>;
  readonly ledger: Pick<Ledger, 'count'>;
  readonly clock: Clock;
}

/**
 * Whether people's own permissions in a target matter: the config names some or manages all, or an earlier one did and they
 * are still in the ledger, to be taken back. What nobody gives need not be read.
 */
export function permissionsGiven({ target, config, ledger, clock }: PermissionsGivenOptions): () => Promise<boolean> {
  if (namesPermissions(target, config)) return async () => true;
  let asked: { readonly answer: Promise<boolean>; readonly until: number } | undefined;
  return () => {
    if (asked === undefined || asked.until <= clock.now()) {
      const answer = ledger.count(target, 'permission').then((count) => count > 0);
      asked = { answer, until: clock.now() + REMEMBERED_MS };
      answer.catch(() => {
        asked = undefined;
      });
    }
    return asked.answer;
  };
}

function namesPermissions(
  target: string,
  { rules, default: fallback, safety }: PermissionsGivenOptions['config'],
): boolean {
  const grants = [...Object.values(rules).map(({ grant }) => grant), fallback.grant];
  return (
    safety.manage === 'all' ||
    grants.some((grant) => Object.keys(grant?.[target]?.permissions ?? {}).length > 0) ||
    safety.privileged.some((entry) => entry.startsWith(`${target}:permission:`))
  );
}
