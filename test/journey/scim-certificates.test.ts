import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { type Certificates, makeCertificates, type ServerCertificate } from '../services/tls.ts';
import { GOODDATA } from './company.ts';
import { type Journey, startJourney } from './harness.ts';
import { SCIM_TOKEN, scimSection } from './scim-client.ts';

let made: Certificates;
let known: ServerCertificate;
let stranger: ServerCertificate;
let journey: Journey;

beforeAll(async () => {
  made = await makeCertificates();
  [known, stranger] = [await made.issue('DNS:okta'), await made.issue('DNS:stranger')];
  const { fingerprint256 } = new X509Certificate(readFileSync(known.certificateFile));
  journey = await startJourney({
    tls: made,
    sections: { ...GOODDATA, scim: scimSection(`client_certificates: ["${fingerprint256}"]`) },
  });
});
afterAll(async () => {
  await journey.close();
  made.remove();
});

function statusWith(shown?: ServerCertificate): Promise<number | undefined> {
  const pair = shown && { cert: readFileSync(shown.certificateFile), key: readFileSync(shown.keyFile) };
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${SCIM_TOKEN}` };
    const asked = request(`${journey.url}/scim/v2/Users`, { ca: made.ca, agent: false, headers, ...pair }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    asked.on('error', reject);
    asked.end();
  });
}

it('takes the token only with the certificate of the client', async () => {
  expect(await statusWith(known)).toBe(200);
  expect(await statusWith(stranger)).toBe(403);
  expect(await statusWith()).toBe(403);
});
