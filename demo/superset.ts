import { startSuperset } from '../test/services/superset.ts';
import { type Backend, runDemo } from './company.ts';

async function startBackend(publicUrl: string): Promise<Backend> {
  console.log('Starting Apache Superset. The first time it is installed with pip, which takes a few minutes.');
  const superset = await startSuperset({
    mode: 'assertion',
    jwks: `${publicUrl}/.latchgate/jwks.json`,
    issuer: publicUrl,
    audience: 'superset',
    roles: ['Finance'],
  });
  return {
    values: { DEMO_SUPERSET_URL: superset.url, DEMO_SUPERSET_SERVICE: superset.service.username },
    close: () => superset.stop(),
  };
}

await runDemo({
  config: 'demo/superset.yaml',
  startBackend,
  tell: ({ url, directory, log, command }) => `
  Latchgate is running in front of Apache Superset:

      ${url}

  Try this:
  1. A first login      Open the address and click Alice. She lands in Superset as herself, with the role Alpha.
  2. A changed group    Open ${directory} and put Alice into finance-team. Log out and log in again:
                        her profile (Settings, Info) shows the role Finance too.
  3. A refused person   Log out and click Erin. The page says why, and no account is made for her.
                        Its request id explains everything:
                        ${command('why REQUEST-ID')}
  4. Nobody in a group  On that page choose "Log in as somebody else" and click Carol: she gets Gamma.
  5. An administrator   Log out and click Bob: Settings, List Users shows who has been here.

  The gateway's log: ${log}
  Press Ctrl-C to stop.
`,
});
