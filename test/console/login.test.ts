import { request } from 'undici';
import { openDatabase } from '../../src/directory/database.ts';
import { until } from '../journey/harness.ts';
import { type ConsoleStage, reasonOn, Seat, startConsoleStage, tokenOn } from './stage.ts';

let stage: ConsoleStage;
beforeAll(async () => {
  stage = await startConsoleStage();
});
afterAll(() => stage.close());

const finishes = (trail: readonly { readonly url: string }[]) =>
  trail.map(({ url }) => url).find((url) => url.startsWith(`${stage.admin}/login/finish`)) ?? '';

it('leads to the provider and back to the page that was asked for', async () => {
  const browser = stage.journey.browser();
  const page = await browser.logIn(`${stage.admin}/people?q=ann`, 'olga');
  expect([page.status, page.url.href]).toEqual([200, `${stage.admin}/people?q=ann`]);
  expect(page.text).toContain('<strong>olga</strong>');
  const { out } = await stage.journey.cli('audit', 'list', '--json');
  const [record] = out.split('\n').flatMap((line) => (line.includes('operator.logged_in') ? [JSON.parse(line)] : []));
  expect(record).toMatchObject({ actor: record.person, after: { role: 'operator' } });
});

it('says who is a viewer, and tells everybody else that it is not for them', async () => {
  const { text } = await (await Seat.of(stage, 'vera')).visit('/');
  expect(text).toContain('<span class="tag plain">viewer</span>');
  const page = await stage.journey.browser().logIn(`${stage.admin}/`, 'ann');
  expect([page.status, reasonOn(page), page.url.origin]).toEqual([403, 'operator_only', stage.journey.url]);
});

it('takes a handle once, and in the browser that began alone', async () => {
  const olga = stage.journey.browser();
  const page = await olga.logIn(`${stage.admin}/`, 'olga');
  const used = finishes(page.trail);
  const again = await olga.visit(used);
  expect([again.status, reasonOn(again)]).toEqual([400, 'operator_login_invalid']);

  // A handle that waits for its browser is of no use in another, and is used up by the try.
  const begun = await olga.visit(`${stage.admin}/login?rd=/`, { follow: false });
  const entered = await olga.visit(String(begun.headers['location']), { follow: false });
  const handle = String(entered.headers['location']);
  expect(handle).toContain(`${stage.admin}/login/finish?handle=`);
  const stolen = await stage.journey.browser().visit(handle);
  expect([stolen.status, reasonOn(stolen)]).toEqual([400, 'operator_login_invalid']);
  expect(reasonOn(await olga.visit(handle))).toBe('operator_login_invalid');
});

it('logs nobody in by an address that somebody else has made', async () => {
  const attacker = stage.journey.browser();
  const begun = await attacker.visit(`${stage.admin}/login?rd=/`, { follow: false });
  const olga = stage.journey.browser();
  await olga.logIn(`${stage.admin}/`, 'olga');
  olga.forget(stage.admin);
  const page = await olga.visit(String(begun.headers['location']));
  expect(reasonOn(page)).toBe('operator_login_invalid');
  const none = await olga.visit(`${stage.journey.url}/.latchgate/console?challenge=x`);
  expect(reasonOn(none)).toBe('operator_login_invalid');
});

it('sends nobody off the page by what an address says', async () => {
  const olga = stage.journey.browser();
  for (const rd of ['https://evil.test/', '//evil.test', '/\\evil.test', '/login/../../x']) {
    const page = await olga.logIn(`${stage.admin}/login?${new URLSearchParams({ rd })}`, 'olga');
    expect([rd, page.url.origin]).toEqual([rd, stage.admin]);
  }
});

it('has a cookie of its own, and neither of the two opens the other door', async () => {
  const olga = await Seat.of(stage, 'olga');
  const own = olga.browser.cookie(stage.admin, 'latchgate-console');
  const other = olga.browser.cookie(stage.journey.url, 'latchgate');
  expect(own).toMatch(/^[\w-]{43}$/);
  const at = async (address: string, cookie: string) => (await request(address, { headers: { cookie } })).statusCode;
  expect(await at(`${stage.admin}/people`, `latchgate-console=${own}`)).toBe(200);
  expect(await at(`${stage.admin}/people`, `latchgate-console=${other}`)).toBe(302);
  expect(await at(`${stage.admin}/people`, `latchgate=${other}`)).toBe(302);
  expect(await at(`${stage.admin}/people`, `latchgate-console=${own}; latchgate-console=${own}`)).toBe(302);
  expect(await at(`${stage.journey.url}/.latchgate/userinfo`, `latchgate=${own}`)).toBe(401);
});

it('keeps nothing that opens a session in the database', async () => {
  const olga = await Seat.of(stage, 'olga');
  const database = await openDatabase(`sqlite:${stage.journey.folder}/latchgate.db`);
  const rows = await database.run((db) => db.selectFrom('console_sessions').selectAll().execute());
  await database.close();
  const text = JSON.stringify(rows);
  expect(rows.length).toBeGreaterThan(0);
  for (const [origin, name] of [
    [stage.admin, 'latchgate-console'],
    [stage.journey.url, 'latchgate'],
  ] as const) {
    expect(text).not.toContain(olga.browser.cookie(origin, name) ?? 'there is none');
  }
});

it('ends with the session at public_url', async () => {
  const olga = await Seat.of(stage, 'olga');
  const token = tokenOn(await olga.visit('/people'));
  expect(token).not.toBe('');
  await stage.journey.cli('sessions', 'end', '--user', 'olga@acme.test');
  const gone = await until('the end', async () => {
    const answer = await olga.browser.visit(`${stage.admin}/people`, { follow: false });
    return answer.status === 302 ? answer : undefined;
  });
  expect(gone.headers['location']).toBe('/login?rd=%2Fpeople');
  const act = await olga.send('/sessions/end', { token });
  expect([act.status, reasonOn(act)]).toEqual([401, 'login_required']);
});

it('logs out by a form, and says that the other session goes on', async () => {
  const olga = await Seat.of(stage, 'olga');
  const page = await olga.post('/logout');
  expect([page.status, page.url.pathname]).toEqual([200, '/logged-out']);
  expect(olga.browser.cookie(stage.admin, 'latchgate-console')).toBeUndefined();
  const { status } = await olga.browser.visit(`${stage.admin}/people`, { follow: false });
  expect(status).toBe(302);
});

it('is there under its own host alone, while probes may ask under any', async () => {
  const under = async (path: string, host: string) => {
    const answer = await request(`${stage.admin}${path}`, { headers: { host } });
    await answer.body.dump();
    return answer.statusCode;
  };
  for (const host of ['evil.test', 'localhost', `localhost:${new URL(stage.admin).port}`, '127.0.0.1']) {
    expect([host, await under('/login', host), await under('/people', host)]).toEqual([host, 421, 421]);
    expect(await under('/healthz', host)).toBe(200);
    expect(await under('/metrics', host)).toBe(200);
  }
  expect(await under('/login', new URL(stage.admin).host)).toBe(302);
});
