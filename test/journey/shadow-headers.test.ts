import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { person, SUPERSET } from './company.ts';
import { startJourney } from './harness.ts';

it.each(['shadow', 'live'])('lets nobody say by a sign-in header of any target who they are: %s', async (mode) => {
  const seen: IncomingHttpHeaders[] = [];
  const backend = createServer((req, res) => {
    if (req.url?.startsWith('/static/') === true) seen.push(req.headers);
    res.end('{}');
  });
  await new Promise<void>((done) => {
    backend.listen(0, '127.0.0.1', () => done());
  });
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const target = `type: superset, url: "${url}", sign_in: header, service_password: service`;
  const journey = await startJourney({
    people: [person('ann')],
    supersetSignIn: 'header',
    sections: {
      ...SUPERSET,
      mode,
      rules: `
  everybody: { grant: { superset: { roles: [Gamma] } } }`,
      routes: '[{ path: /static, to: superset, public: true }, { path: /, to: superset }]',
      targets: `{ superset: { ${target}, sign_in_header: X-Proxy-User }, other: { ${target}, sign_in_header: X-Other-User } }`,
    },
  });
  try {
    const headers = {
      'X-Proxy-User': 'admin',
      X_Proxy_User: 'admin',
      'X-Other-User': 'admin',
      'X-Forwarded-User': 'admin',
      'X-Harmless': 'yes',
      Authorization: 'Bearer of-the-backend',
      Cookie: 'session=of-the-backend',
    };
    expect((await fetch(`${journey.url}/static/x`, { headers, redirect: 'manual' })).status).toBe(200);
  } finally {
    await journey.close();
    backend.closeAllConnections();
    backend.close();
  }
  expect(seen).toHaveLength(1);
  expect(JSON.stringify(seen)).not.toContain('admin');
  expect(seen[0]).toMatchObject({ 'x-harmless': 'yes' });
  // Who is signed in is the backend's to say in shadow mode alone.
  const own = mode === 'shadow' ? ['Bearer of-the-backend', 'session=of-the-backend'] : [undefined, undefined];
  expect([seen[0]?.authorization, seen[0]?.cookie]).toEqual(own);
});
