import { describeContract } from './contract.ts';
import { startScimEmulator } from './server.ts';

describeContract('the emulator', async () => {
  const { url, token, close } = await startScimEmulator();
  return { url, token, stop: close };
});
