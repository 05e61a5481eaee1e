import { GOODDATA } from '../journey/company.ts';
import { type Journey, startJourney } from '../journey/harness.ts';
import { SCIM_TOKEN, scimSection } from '../journey/scim-client.ts';
import { scim2Test } from '../services/scim2-cli.ts';

let journey: Journey;
beforeAll(async () => {
  // Its users have random values and not always an address.
  const sections = { ...GOODDATA, identity: '{ require: [] }', scim: scimSection() };
  journey = await startJourney({ sections });
});
afterAll(() => journey.close());

it('passes every check of scim2 test', async () => {
  const { code, checks, output } = await scim2Test(`${journey.url}/scim/v2`, SCIM_TOKEN);
  const others = checks.filter((line) => !line.startsWith('SUCCESS '));
  expect({ others, output: others.length > 0 || code !== 0 ? output : '' }).toEqual({ others: [], output: '' });
  expect(checks.length).toBeGreaterThanOrEqual(130);
  expect(code).toBe(0);
});
