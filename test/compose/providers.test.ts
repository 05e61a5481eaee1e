import { composeProviders } from '../../src/compose/providers.ts';
import type { Config } from '../../src/config/schema.ts';
import { openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
import { configText, examine } from '../config/fixture.ts';
import { SamlIdp } from '../emulators/saml/idp.ts';
import { refusal, silentLog } from '../login/oidc-harness.ts';

const STAFF = 'https://id.example.com/realms/staff';

it.each([
  [`{ issuer: "${STAFF}", client_id: x }`, STAFF, 'config_invalid'],
  [`{ issuer: "${STAFF}", client_id: x }`, 'https://partner.example', 'accepted'],
  [`{ type: saml, metadata: "https://x.example", idp_entity_id: "${STAFF}" }`, STAFF, 'config_invalid'],
])('beside %s, metadata in the config that name %s are: %s', async (other, entityId, outcome) => {
  const xml = new SamlIdp({ entityId }).metadata();
  const login = `login: { partners: { type: saml, metadata: '${xml}' }, staff: ${other} }`;
  const { config, complaints } = examine(configText({ login }));
  expect(complaints).toEqual([]);
  const database = await openDatabase('sqlite::memory:');
  const clock = { now: () => Date.now() };
  const state = { clock, log: silentLog, directory: createDirectory(database, clock) };
  expect(await refusal(composeProviders(config as Config, state, createMetrics()))).toBe(outcome);
  await database.close();
});
