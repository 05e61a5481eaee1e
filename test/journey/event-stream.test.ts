import { type Auth0Emulator, startAuth0Emulator } from '../emulators/auth0/server.ts';
import { plantUser, removeUser } from '../emulators/auth0/state.ts';
import { GOODDATA, gooddataPeople, gooddataUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// From the event stream of a tenant to the run that it causes, in a gateway whose schedule would wait for half a day.
const LIMIT_MS = 120_000;

let tenant: Auth0Emulator;
let journey: Journey;
beforeEach(async () => {
  const users = [
    { user_id: 'auth0|ann', email: 'ann@acme.test', roles: ['team-a'] },
    { user_id: 'auth0|bob', email: 'bob@acme.test', roles: ['team-a'] },
  ];
  tenant = await startAuth0Emulator({ seed: { roles: [{ name: 'team-a' }], users } });
  const access = 'client_id: emulator-client, client_secret: "emulator-secret"';
  journey = await startJourney({
    sections: {
      ...GOODDATA,
      sources: `{ tenant: { type: auth0, url: "${tenant.url}", ${access}, events: true } }`,
      sync: '{ tenant-to-gooddata: { from: tenant, to: gooddata, every: 12h, jitter: 0s, do: apply } }',
    },
  });
}, LIMIT_MS);
afterEach(async () => {
  await journey.close();
  await tenant.close();
});

const hasGroups = (name: string, groups: readonly string[]) => () => {
  const id = gooddataPeople(journey.gooddata.state).find((user) => user.startsWith(name));
  const has = id === undefined ? undefined : gooddataUser(journey.gooddata.state, id)?.groups;
  return JSON.stringify(has) === JSON.stringify(groups);
};

/** As the tenant does it by itself: no call of ours, and the stream says so. */
function inTenant(deed: (world: { readonly newId: () => string; readonly now: number }) => void): void {
  deed({ newId: () => `byhand${tenant.state.events.length}`, now: Date.now() });
  tenant.events.publish(tenant.state);
}

it(
  'whoever comes to Auth0 or leaves it is in GoodData, or out of it, by the run that the event stream causes',
  async () => {
    await until('the first run', hasGroups('ann', ['team-a']), LIMIT_MS);
    await until('the stream', () => tenant.requests.some(({ path }) => path.startsWith('/api/v2/events')), LIMIT_MS);
    inTenant((world) => {
      plantUser(tenant.state, { user_id: 'auth0|cyd', email: 'cyd@acme.test', roles: ['team-a'] }, world);
      removeUser(tenant.state, 'auth0|bob', world);
    });
    await until('who came', hasGroups('cyd', ['team-a']), LIMIT_MS);
    await until('who left', hasGroups('bob', []), LIMIT_MS);
    expect(hasGroups('ann', ['team-a'])()).toBe(true);
    // A run is written down as over after the last of its calls.
    const outcomes = async () => {
      const { out } = await journey.cli('syncs', 'runs', 'tenant-to-gooddata', '--json');
      return out.split('\n').map((line) => (JSON.parse(line) as { readonly outcome: string | null }).outcome);
    };
    await until('both runs to be over', async () => !(await outcomes()).includes(null));
    expect(await outcomes()).toEqual(['applied', 'applied']);
  },
  LIMIT_MS,
);
