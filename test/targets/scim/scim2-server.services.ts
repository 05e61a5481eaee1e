import { describeTarget } from '../../conformance/target.ts';
import { startScim2Server } from '../../services/scim2-server.ts';
import { describeBulk, overTheWire, SKIPPED_OVER_THE_WIRE } from './over-the-wire.ts';

/** The reference server of the scim2 Python packages. */
async function subject() {
  const { url, token, stop } = await startScim2Server();
  return overTheWire(url, token, stop);
}

describeTarget('SCIM on scim2-server', subject, {
  kinds: ['group'],
  skip: SKIPPED_OVER_THE_WIRE,
  timeoutMs: 120_000,
});

describeBulk('scim2-server', subject);
