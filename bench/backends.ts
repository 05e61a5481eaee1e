import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
const sockets = createServer((_req, res) => res.writeHead(404).end());
sockets.on('upgrade', (req, socket) => {
  // RFC 6455 §4.2.2
  const key = `${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`);
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
  socket.resume();
});
await new Promise<void>((resolve) => sockets.listen(0, '127.0.0.1', resolve));
const socketsUrl = `http://127.0.0.1:${(sockets.address() as AddressInfo).port}`;
const reply: BackendsReply = { issuer: provider.issuer, targetUrl: target.url, targetToken: target.token, socketsUrl };
console.log(JSON.stringify(reply));
