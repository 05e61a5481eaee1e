import type { Clock } from '../ops/clock.ts';
import { createAccounts } from './accounts.ts';
import { createCounts } from './counts.ts';
import type { Database } from './database.ts';
import { createDecisions } from './decisions.ts';
import type { Directory, Recording } from './directory.ts';
import { createHandovers } from './handovers.ts';
import { createLeases } from './leases.ts';
import { createLedger } from './ledger.ts';
import { createListings } from './listings.ts';
import { createLogouts } from './logouts.ts';
import { createPeople } from './people.ts';
import { createPins } from './pins.ts';
import { createPlans } from './plans.ts';
import { createRecorded } from './recorded.ts';
import { createRetries } from './retries.ts';
import { createReviews } from './reviews.ts';
import { createSyncRuns } from './sync-runs.ts';
import { createStateValues } from './values.ts';

const BY_DEFAULT: Recording = {
  claims: (_, claims) => claims,
  address: ({ claims: { email } }) => (typeof email === 'string' ? email : undefined),
};

/** The directory over an open database, which `close` closes too. By default all is kept of claims, and the standard claim is the address. */
export function createDirectory(database: Database, clock: Clock, recording: Partial<Recording> = {}): Directory {
  const record = { ...BY_DEFAULT, ...recording };
  const leases = createLeases(database, clock);
  return {
    people: createPeople(database, clock, record),
    listings: createListings(database, clock, record),
    recorded: createRecorded(database, record),
    accounts: createAccounts(database, clock),
    ledger: createLedger(database, clock),
    pins: createPins(database),
    reviews: createReviews(database),
    leases,
    logouts: createLogouts(database, clock),
    handovers: createHandovers(database, clock),
    counts: createCounts(database, clock),
    retries: createRetries(database),
    decisions: createDecisions(database),
    plans: createPlans(database),
    syncRuns: createSyncRuns(database, clock),
    values: createStateValues(database),
    probe: () => database.probe(),
    close: async () => {
      try {
        await leases.releaseAll();
      } finally {
        await database.close();
      }
    },
  };
}
