import { randomBytes } from 'node:crypto';
import { startGoodDataEmulator } from '../test/emulators/gooddata/server.ts';
import { type Assigned, groupRef, type Seed } from '../test/emulators/gooddata/state.ts';
import { type Backend, runDemo } from './company.ts';

/** What the backend's own administrator has set up: workspaces, and which group may do what in them. */
const BACKEND: Seed = {
  groups: [{ id: 'analysts' }, { id: 'finance' }, { id: 'viewers' }],
  workspaces: [
    { id: 'sales', name: 'Sales', permissions: [permission('analysts', 'ANALYZE'), permission('viewers', 'VIEW')] },
    { id: 'finance', name: 'Finance', permissions: [permission('finance', 'ANALYZE')] },
  ],
};

function permission(group: string, name: string): Assigned {
  return { assignee: groupRef(group), name };
}

async function startBackend(): Promise<Backend> {
  const token = randomBytes(24).toString('base64url');
  const emulator = await startGoodDataEmulator({ page: true, token, seed: BACKEND });
  return {
    values: { DEMO_GOODDATA_URL: emulator.url, DEMO_GOODDATA_TOKEN: token },
    close: () => emulator.close(),
  };
}

await runDemo({
  config: 'config/demo.yaml',
  startBackend,
  tell: ({ url, directory, log, command }) => `
  Latchgate is running in front of an analytics backend:

      ${url}

  Try this:
  1. A first login      Open the address and click Alice. Her account is made on the way, with her name and groups.
  2. A changed group    Open ${directory} and put Alice into finance-team. Log out and log in again:
                        a second workspace is there.
  3. A refused person   Log out and click Erin. The page says why, and no account is made for her.
                        Its request id explains everything:
                        ${command('why REQUEST-ID')}
  4. Nobody in a group  On that page choose "Log in as somebody else" and click Carol: she gets what everybody gets.

  The gateway's log: ${log}
  Press Ctrl-C to stop.
`,
});
