import { GOODDATA } from '../../journey/company.ts';
import { startJourney } from '../../journey/harness.ts';
import { SCIM_TOKEN, scimSection } from '../../journey/scim-client.ts';
import { describeContract } from './behaviour.ts';
import { startScimEmulator } from './server.ts';

describeContract('the emulator', async () => {
  const { url, token, close } = await startScimEmulator();
  return { url, token, stop: close };
});

describeContract('our own server', async () => {
  const journey = await startJourney({ sections: { ...GOODDATA, scim: scimSection() } });
  return { url: `${journey.url}/scim/v2`, token: SCIM_TOKEN, stop: () => journey.close() };
});
