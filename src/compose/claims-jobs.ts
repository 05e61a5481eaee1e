import type { Config } from '../config/schema.ts';
import { addressesOf, isErased } from './claims.ts';
import type { Job } from './jobs.ts';
import type { State } from './state.ts';

const HOURLY_MS = 3_600_000;
const ADDRESSES = 'addresses read by';

/** Work that makes true of what is stored what the config says of it: once at the start, and each hour what grew too old. */
export function claimsJobs(
  config: Config,
  state: Pick<State, 'directory' | 'together' | 'clock' | 'log'>,
): readonly Job[] {
  const { directory, log } = state;
  const { retention } = config.state.claims;
  let isFirst = true;
  /** Until it succeeds: another process may have the file in use. */
  let isUnsettled = false;
  const work = async (): Promise<void> => {
    const restated = isFirst ? await restateFirst(config, state) : 0;
    if (!isErased(config)) {
      isFirst = false;
      return;
    }
    const gone = retention === undefined ? 0 : await forgetOld(state, retention, listsOf(config));
    isUnsettled ||= restated + gone > 0;
    if (isUnsettled) await directory.recorded.settle(isFirst);
    isUnsettled = false;
    isFirst = false;
    if (restated + gone === 0) return;
    log.info('recorded claims were brought to what state.claims says', { restated, forgotten: gone });
  };
  return [{ everyMs: HOURLY_MS, work }];
}

/** Also after an upgrade from before there were addresses, and where the config finds them elsewhere than before. */
async function restateFirst(config: Config, { directory, log }: Pick<State, 'directory' | 'log'>): Promise<number> {
  const addresses = addressesOf(config);
  const before = await directory.values.get(ADDRESSES);
  if (before === addresses && !isErased(config)) return 0;
  const restated = await directory.recorded.restate();
  if (before === addresses) return restated;
  await directory.values.swap(ADDRESSES, before, addresses);
  if (restated > 0) log.info('the addresses by which people are found were read anew', { restated });
  return restated;
}

/** An origin that the config has no more says nothing more: it is none of them, whatever it was. */
function listsOf({ sources, scim }: Config): readonly string[] {
  return [...Object.keys(sources), ...Object.keys(scim?.clients ?? {})];
}

/** Empties what is older, page by page, each page with its records in the audit. Returns how many. */
export async function forgetOld(
  { together, clock }: Pick<State, 'together' | 'clock'>,
  keepMs: number,
  lists: readonly string[],
): Promise<number> {
  for (let total = 0; ; ) {
    const gone = await together(async ({ directory, audit }) => {
      const rows = await directory.recorded.forget(new Date(clock.now() - keepMs), lists);
      if (rows.length > 0) {
        await audit.append(
          rows.map(({ person, origin }) => ({ event: 'claims.forgotten', actor: 'retention', person, origin })),
        );
      }
      return rows.length;
    });
    if (gone === 0) return total;
    total += gone;
  }
}
