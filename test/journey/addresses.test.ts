import { exchange, parseAnswer } from '../proxy/harness.ts';
import { person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

let journey: Journey;
let port: number;
let host: string;

beforeAll(async () => {
  journey = await startJourney({ people: [person('ann')] });
  ({ host } = new URL(journey.url));
  port = Number(new URL(journey.url).port);
});
afterAll(() => journey.close());

const EVIL = 'evil.example';

/** Whatever a server in front, or a client that plays one, may say about the address that was asked. */
const WORDS: readonly (readonly string[])[] = [
  [],
  [`X-Forwarded-Host: ${EVIL}`],
  [`X-Forwarded-Host: ${EVIL}`, 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 443', 'X-Forwarded-Prefix: /evil'],
  [`x-forwarded-host: ${EVIL}, 127.0.0.1`, `X-Forwarded-Host: ${EVIL}`],
  [`X_Forwarded_Host: ${EVIL}`, `X-Forwarded-Server: ${EVIL}`, `X-Host: ${EVIL}`, `X-HTTP-Host-Override: ${EVIL}`],
  [`Forwarded: host=${EVIL};proto=https;for=192.0.2.1`, `X-Original-Host: ${EVIL}`, `X-Backend-Host: ${EVIL}`],
  [`X-Original-URL: https://${EVIL}/`, `X-Rewrite-URL: //${EVIL}/`, `X-Forwarded-Uri: //${EVIL}/`],
  [`Origin: https://${EVIL}`, `Referer: https://${EVIL}/.latchgate/login`],
];

async function ask(line: string, lines: readonly string[], asked = host): Promise<ReturnType<typeof parseAnswer>> {
  const head = [`${line} HTTP/1.1`, `Host: ${asked}`, 'Connection: close', ...lines];
  return parseAnswer(await exchange(port, `${head.join('\r\n')}\r\n\r\n`));
}

const HTML = 'Accept: text/html';
const NAVIGATION = [HTML, 'Sec-Fetch-Mode: navigate'];

describe('addresses and cookies of ours come from the config, whatever a client says:', () => {
  it.each(WORDS.map((lines) => [lines]))('%j', async (lines) => {
    const login = await ask('GET /.latchgate/login?rd=/x', [...lines, HTML]);
    expect(login.status).toBe(302);
    const there = new URL(login.header('location') ?? '');
    expect(there.origin).toBe(journey.idp.issuer);
    expect(there.searchParams.getAll('redirect_uri')).toEqual([`${journey.url}/.latchgate/callback/acme`]);
    const [cookie = ''] = login.headers('set-cookie');
    expect(cookie).toMatch(/^latchgate-login=[\w-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/);

    const page = await ask('GET /x?y=1', [...lines, ...NAVIGATION]);
    expect(page.header('location')).toBe('/.latchgate/login?rd=%2Fx%3Fy%3D1');
    const call = await ask('GET /x', lines);
    expect(JSON.parse(call.body).login_url).toBe(`${journey.url}/.latchgate/login?rd=%2Fx`);
    for (const { head, body } of [login, page, call]) expect(head + body).not.toContain(EVIL);
  });

  it.each(['GET', 'POST', 'OPTIONS'])('and no other Host is served: %s', async (method) => {
    const others = [
      EVIL,
      `${host}.${EVIL}`,
      `${EVIL}:${port}`,
      'localhost',
      `localhost:${port}`,
      `127.0.0.1:${port + 1}`,
      '',
    ];
    for (const other of others) {
      for (const path of ['/', '/.latchgate/login', '/.latchgate/logout', '/.latchgate/callback/acme?code=x&state=y']) {
        const answer = await ask(`${method} ${path}`, [HTML], other);
        // 421, or 400 for what is no host at all.
        expect([other, path, [400, 421].includes(answer.status)]).toEqual([other, path, true]);
        expect(answer.headers('set-cookie').concat(answer.headers('location'))).toEqual([]);
      }
    }
  });

  it('also at a logout', async () => {
    const browser = journey.browser();
    await browser.logIn(`${journey.url}/`, 'ann');
    for (const lines of WORDS) {
      const cookie = `Cookie: latchgate=${browser.cookie(journey.url, 'latchgate')}`;
      const asks = lines.filter((line) => !/^(?:origin|referer)/i.test(line));
      const answer = await ask('POST /.latchgate/logout', [
        cookie,
        HTML,
        `Origin: ${journey.url}`,
        'Content-Length: 0',
        ...asks,
      ]);
      expect([303, 200]).toContain(answer.status);
      const location = answer.header('location');
      if (location !== undefined) {
        expect(new URL(location).searchParams.getAll('post_logout_redirect_uri')).toEqual([`${journey.url}/`]);
      }
      for (const line of answer.headers('set-cookie')) expect(line).not.toMatch(/domain/i);
      expect(answer.head + answer.body).not.toContain(EVIL);
      browser.forget(journey.idp.issuer);
      browser.forget(journey.url);
      await browser.logIn(`${journey.url}/`, 'ann');
    }
  });
});
