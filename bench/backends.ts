import { startGoodDataEmulator } from '../test/emulators/gooddata/server.ts';
import { startOidcProvider } from '../test/emulators/oidc/provider.ts';
import type { BackendsReply, BackendsRequest } from './setups.ts';

/*
 * The identity provider and the backend with its accounts, in a process of their own, so that their work is neither
 * counted nor in the way of the client that logs in. Started by run.ts with what is wanted as its one argument.
 */

const { people, clients } = JSON.parse(process.argv[2] ?? '{}') as BackendsRequest;
const provider = await startOidcProvider({
  people: people.map((sub) => ({
    sub,
    claims: {
      given_name: sub,
      family_name: 'Bench',
      name: `${sub} Bench`,
      email: `${sub}@example.com`,
      email_verified: true,
      'urn.gooddata.user_groups': ['analysts'],
    },
  })),
  clients: clients.map(({ id, secret, redirectUri }) => ({ id, secret, redirectUris: [redirectUri] })),
});
const target = await startGoodDataEmulator();
const reply: BackendsReply = { issuer: provider.issuer, targetUrl: target.url, targetToken: target.token };
console.log(JSON.stringify(reply));
