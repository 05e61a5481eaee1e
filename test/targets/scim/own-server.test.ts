import { describeTarget } from '../../conformance/target.ts';
import { GOODDATA } from '../../journey/company.ts';
import { startJourney } from '../../journey/harness.ts';
import { SCIM_TOKEN, scimSection } from '../../journey/scim-client.ts';
import { describeBulk, overTheWire, SKIPPED_OVER_THE_WIRE } from './over-the-wire.ts';

/** A gateway that provisions another one, which takes what it is pushed. */
async function subject() {
  const scim = scimSection('requests_per_minute: 1000000');
  const journey = await startJourney({ sections: { ...GOODDATA, scim } });
  return overTheWire(`${journey.url}/scim/v2`, SCIM_TOKEN, () => journey.close());
}

describeTarget('SCIM on the server of another gateway', subject, {
  kinds: ['group'],
  skip: SKIPPED_OVER_THE_WIRE,
  timeoutMs: 120_000,
});

describeBulk('another gateway', subject);
