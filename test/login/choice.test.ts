import { Browser, type Site, startSite } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite({
    logins: {
      staff: { label: 'Staff', email_domains: ['example.com'] },
      partners: { email_domains: ['partner.example', 'münchen.example'] },
    },
    loginOf: (returnTo) => (returnTo.startsWith('/partners/') ? 'partners' : undefined),
  });
});
afterAll(() => site.close());

const LOGIN = '/.latchgate/login';

/** Which login a browser is sent to; `asked` when the page asks. */
async function begun(browser: Browser, query = ''): Promise<string> {
  const { location, text } = await browser.send(`${LOGIN}?${query}`);
  if (location === undefined) return text.includes('How would you like to log in?') ? 'asked' : text;
  return new URL(location).searchParams.get('client_id')?.replace('gateway-', '') ?? location;
}

it('asks whoever has not logged in here before', async () => {
  expect(await begun(new Browser(site))).toBe('asked');
});

it('goes by the domain of an e-mail address, and asks again for one of nobody', async () => {
  expect(await begun(new Browser(site), 'login_hint=bob%40partner.example')).toBe('partners');
  expect(await begun(new Browser(site), 'login_hint=alice%40EXAMPLE.com')).toBe('staff');
  expect(await begun(new Browser(site), 'login_hint=x%40nobody.example')).toBe('asked');
});

it.each(['a@münchen.example', 'a@xn--mnchen-3ya.example', 'a@MÜNCHEN.EXAMPLE'])(
  'goes by the domain of %s',
  async (address) => {
    expect(await begun(new Browser(site), `login_hint=${encodeURIComponent(address)}`)).toBe('partners');
  },
);

it('goes by the route, whatever the browser remembers', async () => {
  const browser = new Browser(site);
  await browser.logIn('alice', 'login=staff');
  expect(await begun(browser, 'rd=/partners/report')).toBe('partners');
  expect(await begun(browser, 'rd=/report')).toBe('staff');
});

describe('what a browser chose', () => {
  it('is remembered after the login, for our own pages alone, and forgotten at the logout', async () => {
    const browser = new Browser(site);
    await browser.send(`${LOGIN}?login=partners`);
    expect(await begun(browser)).toBe('asked');
    const { headers } = await browser.logIn('alice', 'login=partners');
    const line = headers['set-cookie']?.find((one) => one.startsWith('latchgate-last-login='));
    expect(line).toBe('latchgate-last-login=partners; Max-Age=15552000; Path=/.latchgate; HttpOnly; SameSite=Lax');
    expect(await begun(browser)).toBe('partners');
    await browser.send('/.latchgate/logout', { method: 'POST', headers: { origin: site.url } });
    expect(browser.jar.has('latchgate-last-login')).toBe(false);
    expect(await begun(browser)).toBe('asked');
  });

  it('gives way to a name, an address, and the wish to choose', async () => {
    const browser = new Browser(site);
    await browser.logIn('alice', 'login=partners');
    expect(await begun(browser, 'login=staff')).toBe('staff');
    expect(await begun(browser, 'login_hint=alice%40example.com')).toBe('staff');
    expect(await begun(browser, 'choose=1')).toBe('asked');
    expect(await begun(browser, 'choose=1&rd=/partners/report')).toBe('asked');
  });

  it.each(['nobody', '', '__proto__', '../x'])('is nothing when the cookie says %j', async (value) => {
    const browser = new Browser(site);
    browser.jar.set('latchgate-last-login', value);
    expect(await begun(browser)).toBe('asked');
  });

  it('is nothing when there are two such cookies', async () => {
    const cookie = 'latchgate-last-login=staff; latchgate-last-login=partners';
    const { location } = await new Browser(site).send(LOGIN, { headers: { cookie } });
    expect(location).toBeUndefined();
  });
});

it('offers the choice where a login was refused', async () => {
  const browser = new Browser(site);
  const { text } = await browser.send('/.latchgate/callback/staff?state=none');
  expect(text).toContain(`<a class="quiet" href="${LOGIN}?rd=%2F&amp;choose=1">Other ways to log in</a>`);
});
