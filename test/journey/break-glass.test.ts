import { refusalOn } from './browser.ts';
import { GOODDATA, person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

describe('an emergency link, while the provider is down', () => {
  let journey: Journey;
  beforeAll(async () => {
    journey = await startJourney({ people: [person('ann'), person('bob'), person('cid')], sections: GOODDATA });
    for (const sub of ['ann', 'bob', 'cid']) await journey.logIn(sub);
    await journey.idp.close();
  });
  afterAll(() => journey.close());

  const link = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await journey.cli('break-glass', ...args, '--reason', 'the provider is down');
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining('works once') });
    return out;
  };
  const use = (
    address: string,
    headers: Record<string, string> = { origin: journey.url },
    browser = journey.browser(),
  ) =>
    browser.visit(`${journey.url}/.latchgate/break-glass`, {
      method: 'POST',
      headers,
      form: { link: new URL(address).searchParams.get('link') ?? '' },
    });
  const audit = async (): Promise<readonly Record<string, unknown>[]> => {
    const { out } = await journey.cli('audit', 'list', '--json');
    return out.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  it('lets a known person in once, as the provider last described them, and is not used up by being looked at', async () => {
    await expect(journey.browser().visit(`${journey.url}/`)).rejects.toThrow('ECONNREFUSED');
    const address = await link('ann@acme.test');
    for (let look = 0; look < 2; look += 1) {
      const page = await journey.browser().visit(address);
      expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Emergency login') });
      expect(page.headers['referrer-policy']).toBe('strict-origin');
    }
    const browser = journey.browser();
    const page = await use(address, { origin: journey.url }, browser);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Ann Adams') });
    const { expiry } = JSON.parse((await browser.call(`${journey.url}/.latchgate/userinfo`)).text) as {
      expiry: string;
    };
    expect(Date.parse(expiry) - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(refusalOn(await use(address))).toMatchObject({ status: 403, code: 'break_glass_over' });
  });

  it('is in the audit when it is made, with the reason, and when it is used', async () => {
    const address = await link('bob@acme.test', '--session', '10m');
    expect((await use(address)).status).toBe(200);
    const records = await audit();
    expect(records).toContainEqual(
      expect.objectContaining({
        event: 'break_glass.made',
        actor: 'operator',
        after: { reason: 'the provider is down' },
      }),
    );
    const used = records.filter(({ event }) => event === 'break_glass.used');
    expect(used.at(-1)).toMatchObject({ origin: 'acme', requestId: expect.any(String) });
    expect(journey.log.join('\n')).not.toContain(new URL(address).searchParams.get('link'));
  });

  it('does nothing for another site, which does not use it up either', async () => {
    const address = await link('bob@acme.test');
    for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, {}]) {
      expect(refusalOn(await use(address, headers))).toMatchObject({ status: 403, code: 'origin_not_allowed' });
    }
    expect((await use(address)).status).toBe(200);
  });

  it('lets nobody in who was disabled since, and is not made for them', async () => {
    const address = await link('cid@acme.test');
    await journey.cli('users', 'disable', 'cid@acme.test');
    expect(refusalOn(await use(address))).toMatchObject({ status: 403, code: 'person_disabled' });
    const { code, err } = await journey.cli('break-glass', 'cid@acme.test', '--reason', 'again');
    expect(code).not.toBe(0);
    expect(err).toMatch(/is disabled, and no link changes that/);
  });

  it.each([
    ['somebody who was never here', ['break-glass', 'dora@acme.test', '--reason', 'x'], /^not_found: /],
    ['no reason', ['break-glass', 'ann@acme.test', '--reason', ' '], /--reason says in the audit/],
    ['a session of no length', ['break-glass', 'ann@acme.test', '--reason', 'x', '--session', '0m'], /30m, 8h/],
  ])('is not made for %s', async (_, args, sentence) => {
    const { code, out, err } = await journey.cli(...args);
    expect({ out, err }).toEqual({ out: '', err: expect.stringMatching(sentence) });
    expect(code).not.toBe(0);
  });

  it('that was never made is refused, in whatever shape', async () => {
    for (const handle of ['', 'x', 'A'.repeat(43), '__proto__']) {
      const page = await use(`${journey.url}/?link=${handle}`);
      expect(refusalOn(page)).toMatchObject({ status: 403, code: 'break_glass_over' });
    }
  });
});
