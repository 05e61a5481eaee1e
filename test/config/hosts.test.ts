import { codes, configText, examine, SECRET, warningCodes } from './fixture.ts';

const session = (domain: string) => `session: { secrets: ["${SECRET}"], cookie_domain: ${domain} }`;
const routes = (...hosts: readonly string[]) =>
  `routes: [{ path: /, to: superset }, ${hosts.map((host) => `{ host: ${host}, path: /, to: superset }`).join(', ')}]`;
const look = (sections: Readonly<Record<string, string>>) => {
  const examined = examine(configText(sections));
  return { examined, complaints: codes(examined), warnings: warningCodes(examined) };
};

describe('hosts of routes', () => {
  it('are fine in the domain of the cookie, in any spelling', () => {
    const { examined, complaints, warnings } = look({
      session: session('.Example.com'),
      routes: routes('Reports.example.com', '"other.example.com:8443"', 'bücher.example.com', 'deep.in.example.com'),
    });
    expect([complaints, warnings]).toEqual([[], []]);
    expect(examined.config?.session.cookie_domain).toBe('example.com');
    expect(examined.config?.routes.map(({ host }) => host)).toEqual([
      undefined,
      'reports.example.com',
      'other.example.com:8443',
      'xn--bcher-kva.example.com',
      'deep.in.example.com',
    ]);
  });

  it('need a domain that the cookie is shared in, and the nearest one is named', () => {
    const { examined, complaints } = look({ routes: routes('reports.example.com') });
    expect(complaints).toEqual(['cookie_domain_missing routes.1.host']);
    expect(examined.complaints[0]).toMatchObject({ hint: 'session: { cookie_domain: example.com }' });
    const apart = look({ routes: routes('reports.example.org') }).examined.complaints[0];
    expect(apart?.hint).toBe('session: { cookie_domain: a domain that both are in }');
  });

  it('need none when they are the host of public_url, on another port too', () => {
    expect(look({ routes: routes('"bi.example.com:8443"') }).complaints).toEqual([]);
  });

  it.each([
    ['another domain', 'reports.example.org'],
    ['a domain that ends alike', 'reports.badexample.com'],
    ['an address', '127.0.0.1'],
    ['an IPv6 address', '"[::1]"'],
  ])('must be in that domain: %s', (_name, host) => {
    expect(look({ session: session('example.com'), routes: routes(host) }).complaints).toEqual([
      'cookie_domain_mismatch routes.1.host',
    ]);
  });

  it.each([
    '"https://reports.example.com"',
    'reports.example.com/x',
    'reports.example.com.',
    '"a b"',
    '"u@reports.example.com"',
    '"reports.example.com:99999"',
    '"reports.example.com:x"',
    '"*.example.com"',
    '""',
    '"[::1"',
  ])('must be names: %s', (host) => {
    expect(look({ session: session('example.com'), routes: routes(host) }).complaints).toEqual([
      'invalid_value routes.1.host',
    ]);
  });

  it('have routes of their own: the same path on two hosts is no duplicate, on one it is', () => {
    expect(
      look({ session: session('example.com'), routes: routes('a.example.com', 'b.example.com') }).complaints,
    ).toEqual([]);
    const twice = [routes('a.example.com', 'A.example.com:443'), routes('bi.example.com')];
    for (const section of twice) {
      expect(look({ session: session('example.com'), routes: section }).complaints).toEqual([
        expect.stringMatching(/^duplicate_route routes\.[12]\.path$/),
      ]);
    }
  });

  it('are warned of when that of public_url has no route', () => {
    const section = 'routes: [{ host: reports.example.com, path: /, to: superset }]';
    const { complaints, warnings } = look({ session: session('example.com'), routes: section });
    expect([complaints, warnings]).toEqual([[], ['public_host_without_route routes']]);
    expect(look({ routes: 'routes: [{ host: bi.example.com, path: /, to: superset }]' }).warnings).toEqual([]);
  });
});

describe('the domain of the cookie', () => {
  it('has the host of public_url in it', () => {
    const { complaints } = look({ session: session('reports.example.com'), routes: routes('reports.example.com') });
    expect(complaints).toEqual(['cookie_domain_mismatch session.cookie_domain']);
  });

  it.each([
    'com',
    'localhost',
    '10.0.0.1',
    '"[::1]"',
    '"example.com:443"',
    '"https://example.com"',
    '"*.example.com"',
    '""',
  ])('is a domain: %s', (domain) => {
    expect(look({ session: session(domain), routes: routes('reports.example.com') }).complaints).toEqual([
      'invalid_value session.cookie_domain',
    ]);
  });

  it('is warned of when anybody can have a name in it, and when only one host is served', () => {
    const public_url = 'public_url: https://bi.co.uk';
    expect(look({ public_url, session: session('co.uk'), routes: routes('reports.co.uk') }).warnings).toEqual([
      'cookie_domain_wide session.cookie_domain',
    ]);
    expect(look({ session: session('example.com') }).warnings).toEqual(['cookie_domain_wide session.cookie_domain']);
  });
});
