import { createLocalJWKSet, jwtVerify } from 'jose';
import { alice, ask, closeAll, ready, sessionOf, startUpstream, startWorld, until, valuesOf } from './harness.ts';

afterEach(closeAll);

const OURS = [
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Groups',
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'X-Forwarded-Host',
  'X-Forwarded-Port',
  'X-Request-Id',
  'X-Latchgate-Assertion',
];

const SPELLINGS: readonly ((name: string) => string)[] = [
  (name) => name,
  (name) => name.toLowerCase(),
  (name) => name.toUpperCase(),
  (name) => name.replaceAll('-', '_'),
  (name) => name.replace('-', '_'),
  (name) => name.replaceAll('-', '.'),
  (name) => name.replaceAll('-', '~').toLowerCase(),
  (name) => name.replaceAll('-', "'"),
  (name) => name.replaceAll('-', '|'),
];

describe('identity headers toward the upstream', () => {
  it.each(OURS)('carry one line of ours and no copy of the client, in any spelling: %s', async (name) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const forged = SPELLINGS.map((spell) => `${spell(name)}: forged`);
    expect((await ask(port, 'GET /', ['Cookie: latchgate=alice', ...forged])).status).toBe(200);
    const [seen] = upstream.seen;
    expect(JSON.stringify(seen?.rawHeaders)).not.toContain('forged');
    expect(valuesOf(seen, name)).toHaveLength(1);
  });

  it.each([
    'Forwarded',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Original-URI',
    'X-Forwarded-Prefix',
    'X-Forwarded-Uri',
    'X-Forwarded-Access-Token',
    'X-Real-IP',
    'Remote-User',
    'X-Remote-User',
    'X-Auth-Request-Email',
    'X-HTTP-Method-Override',
    'Proxy',
    'Proxy-Authorization',
    'Transfer_Encoding',
    'Content_Length',
  ])('leave out what could mislead an upstream: %s', async (name) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    await ask(port, 'GET /', ['Cookie: latchgate=alice', ...SPELLINGS.map((spell) => `${spell(name)}: forged`)]);
    expect(upstream.seen).toHaveLength(1);
    expect(JSON.stringify(upstream.seen[0]?.rawHeaders)).not.toContain('forged');
  });

  it('say who is there, from where, and to whom', async () => {
    const upstream = await startUpstream();
    const { port, publicKeys, clock } = await startWorld({ upstream: upstream.url });
    await ask(port, 'GET /some/page?q=1');
    const [seen] = upstream.seen;
    const one = (name: string) => valuesOf(seen, name).join('|');
    expect(seen?.url).toBe('/some/page?q=1');
    expect(one('Host')).toBe('bi.example.com');
    expect(one('X-Forwarded-User')).toBe('alice');
    expect(one('X-Forwarded-Email')).toBe('alice@example.com');
    expect(one('X-Forwarded-Groups')).toBe('bi-admins,finance%2C north,%C3%BCber');
    expect(one('X-Forwarded-For')).toBe('127.0.0.1');
    expect([one('X-Forwarded-Proto'), one('X-Forwarded-Host'), one('X-Forwarded-Port')]).toEqual([
      'http',
      'bi.example.com',
      '80',
    ]);
    const keys = createLocalJWKSet({ keys: [...(await publicKeys())] });
    const { payload } = await jwtVerify(one('X-Latchgate-Assertion'), keys, {
      audience: 'main',
      issuer: 'http://bi.example.com',
      algorithms: ['ES256'],
      currentDate: new Date(clock.now()),
    });
    expect(payload).toMatchObject({ sub: 'alice', email: 'alice@example.com', groups: alice.groups });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(60);
  });

  it('use an assertion until half its life, and sign anew when the person changes', async () => {
    const upstream = await startUpstream();
    const { port, clock, sessions, accounts } = await startWorld({ upstream: upstream.url });
    const assertions = async () => {
      await ask(port, 'GET /');
      return valuesOf(upstream.seen.at(-1), 'X-Latchgate-Assertion')[0];
    };
    const first = await assertions();
    clock.at += 29_000;
    expect(await assertions()).toBe(first);
    clock.at += 2_000;
    const second = await assertions();
    expect(second).not.toBe(first);
    sessions.set('alice', sessionOf({ ...alice, groups: ['other'] }));
    const third = await assertions();
    expect(third).not.toBe(second);
    accounts.set('p_alice', ready('alice2'));
    clock.at += 1_001;
    expect(await assertions()).not.toBe(third);
    expect(valuesOf(upstream.seen.at(-1), 'X-Forwarded-User')).toEqual(['alice2']);
  });

  it('leave a list of groups out that is too long, and say so once in the log', async () => {
    const upstream = await startUpstream();
    const { port, sessions, publicKeys, clock, logged } = await startWorld({ upstream: upstream.url });
    const groups = Array.from({ length: 400 }, (_, at) => `group-number-${at}`);
    sessions.set('alice', sessionOf({ ...alice, groups }));
    await ask(port, 'GET /');
    clock.at += 40_000;
    await ask(port, 'GET /');
    const [seen] = upstream.seen;
    expect(valuesOf(seen, 'X-Forwarded-Groups')).toEqual([]);
    const keys = createLocalJWKSet({ keys: [...(await publicKeys())] });
    const [token = ''] = valuesOf(seen, 'X-Latchgate-Assertion');
    const { payload } = await jwtVerify(token, keys, { currentDate: new Date(clock.now() - 40_000) });
    expect(payload['groups_omitted']).toBe(true);
    expect(payload).not.toHaveProperty('groups');
    expect(token.length).toBeLessThan(8_000);
    expect(logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
  });

  it.each(['Host', 'Cookie', 'Content-Length', 'X-Forwarded-User', 'X-Latchgate-Assertion', 'X-Request-Id'])(
    'survive a Connection header that names %s',
    async (name) => {
      const upstream = await startUpstream();
      const { port } = await startWorld({ upstream: upstream.url });
      const headers = ['Cookie: latchgate=alice; own=1', `Connection: close, ${name}`, 'Content-Length: 4'];
      expect((await ask(port, 'POST /', headers, 'body')).status).toBe(200);
      const [seen] = upstream.seen;
      expect(valuesOf(seen, name)).toHaveLength(1);
      expect([seen?.body, valuesOf(seen, 'cookie')]).toEqual(['body', ['own=1']]);
    },
  );

  it('drop what Connection names otherwise, and every hop-by-hop header', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const headers = ['Connection: X-Hop, Keep-Alive', 'X-Hop: a', 'Keep-Alive: timeout=5', 'TE: trailers', 'X-Stay: b'];
    await ask(port, 'GET /', ['Cookie: latchgate=alice', ...headers]);
    const [seen] = upstream.seen;
    const names = ['x-hop', 'keep-alive', 'te', 'x-stay'].map((name) => valuesOf(seen, name).length);
    expect(names).toEqual([0, 0, 0, 1]);
  });

  it('are not set on public routes, where a client copy is dropped all the same', async () => {
    const upstream = await startUpstream();
    const routes = [{ path: '/', target: 'main', isPublic: true }];
    const { port } = await startWorld({ upstream: upstream.url, routes });
    const answer = await ask(port, 'OPTIONS /', ['Cookie: latchgate=alice; a=b', 'X-Forwarded_User: forged']);
    expect(answer.status).toBe(200);
    const [seen] = upstream.seen;
    expect(JSON.stringify(seen?.rawHeaders)).not.toMatch(/forged|latchgate=|alice|Assertion/i);
    expect(valuesOf(seen, 'Cookie')).toEqual(['a=b']);
    expect(valuesOf(seen, 'X-Request-Id')).toEqual([answer.header('X-Request-Id')]);
  });

  it('believe X-Forwarded-For of a trusted proxy alone', async () => {
    const upstream = await startUpstream();
    for (const trustedProxies of [[], ['10.0.0.0/8'], ['127.0.0.0/8']]) {
      const { port } = await startWorld({ upstream: upstream.url, deps: { trustedProxies } });
      await ask(port, 'GET /', ['Cookie: latchgate=alice', 'X-Forwarded-For: 203.0.113.9', 'X_Forwarded_For: forged']);
    }
    const lines = upstream.seen.map((seen) => valuesOf(seen, 'X-Forwarded-For').join());
    expect(lines).toEqual(['127.0.0.1', '127.0.0.1', '203.0.113.9, 127.0.0.1']);
  });
});

describe('X-Forwarded-For', () => {
  const HONEST = [
    '203.0.113.9',
    '203.0.113.9, 198.51.100.1',
    '2001:db8::1',
    '[2001:db8::1]:4711',
    '203.0.113.9:4711',
    'unknown',
  ];
  const ODD = [
    ...[
      '<script>',
      '203.0.113.9"',
      "203.0.113.9' or 1=1",
      '203.0.113.9;x',
      '203.0.113.9\\',
      '\xff',
      'a'.repeat(1_025),
      '{}',
      '$(id)',
    ],
    ...[
      '%0d%0aX-Forwarded-User: admin',
      '203.0.113.9%00',
      'http://203.0.113.9/',
      '203.0.113.9=',
      '203.0.113.9\tx',
      '@',
      '*',
    ],
  ];

  it('of a trusted proxy is continued, and left out when it is not a list of addresses', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, deps: { trustedProxies: ['127.0.0.1'] } });
    for (const value of [...HONEST, ...ODD]) {
      expect((await ask(port, 'GET /', ['Cookie: latchgate=alice', `X-Forwarded-For: ${value}`])).status).toBe(200);
    }
    const told = upstream.seen.map((seen) => valuesOf(seen, 'X-Forwarded-For'));
    expect(told).toEqual([...HONEST.map((value) => [`${value}, 127.0.0.1`]), ...ODD.map(() => ['127.0.0.1'])]);
  });

  it('of a trusted proxy is one list however many lines it came in, in one spelling alone', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, deps: { trustedProxies: ['127.0.0.0/8'] } });
    const lines = [
      'X-Forwarded-For: 192.0.2.1',
      'x-forwarded-for: 192.0.2.2',
      'X_Forwarded_For: 192.0.2.3',
      'X-Forwarded.For: 192.0.2.4',
    ];
    await ask(port, 'GET /', ['Cookie: latchgate=alice', ...lines]);
    expect(valuesOf(upstream.seen[0], 'X-Forwarded-For')).toEqual(['192.0.2.1, 192.0.2.2, 127.0.0.1']);
    expect(JSON.stringify(upstream.seen[0]?.rawHeaders)).not.toMatch(/192\.0\.2\.[34]/);
  });

  it('of nobody else counts, whatever list of trusted proxies there is', async () => {
    const upstream = await startUpstream();
    const lists = [
      [],
      ['10.0.0.0/8'],
      ['127.0.0.2'],
      ['::1'],
      ['::ffff:10.0.0.1'],
      ['192.0.2.0/24', 'fd00::/8'],
      ['126.0.0.0/8'],
      ['128.0.0.0/1'],
    ];
    for (const trustedProxies of lists) {
      const { port } = await startWorld({ upstream: upstream.url, deps: { trustedProxies } });
      for (const value of HONEST) await ask(port, 'GET /', ['Cookie: latchgate=alice', `X-Forwarded-For: ${value}`]);
    }
    const told = new Set(upstream.seen.map((seen) => valuesOf(seen, 'X-Forwarded-For').join()));
    expect([...told]).toEqual(['127.0.0.1']);
  });
});

describe('the sign-in of a target', () => {
  const signIn = {
    drop: ['authorization', 'x-custom-user'],
    headers: async (account: { id: string }) => ({
      set: { authorization: `Bearer for-${account.id}` },
      validForSeconds: 300,
    }),
  };

  it('replaces what the browser sent', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, target: { signIn, host: 'upstream' } });
    const forged = ['Authorization: Bearer forged', 'authorization: Basic forged', 'X_Custom_User: forged'];
    await ask(port, 'GET /', ['Cookie: latchgate=alice', ...forged]);
    const [seen] = upstream.seen;
    expect(valuesOf(seen, 'authorization')).toEqual(['Bearer for-id-alice']);
    expect(JSON.stringify(seen?.rawHeaders)).not.toContain('forged');
    expect(`http://${valuesOf(seen, 'host')[0]}`).toBe(upstream.url);
  });

  it('leaves out headers and cookies whose names begin as the target says', async () => {
    const upstream = await startUpstream();
    const families = { ...signIn, drop: ['x-gdc-auth*'], dropCookies: ['SPRING_SEC_*', 'SID'] };
    const { port } = await startWorld({ upstream: upstream.url, target: { signIn: families } });
    const forged = ['X-GDC-AuthToken: forged', 'x_gdc_auth: forged', 'X-GDC-Trace: mine'];
    const cookie =
      'Cookie: SPRING_SEC_SECURITY_CONTEXT=forged; latchgate=alice; SID=forged; SPRING=mine; SPRING_SEC_=forged';
    expect((await ask(port, 'GET /', [cookie, ...forged])).status).toBe(200);
    const [seen] = upstream.seen;
    expect(JSON.stringify(seen?.rawHeaders)).not.toContain('forged');
    expect(valuesOf(seen, 'x-gdc-trace')).toEqual(['mine']);
    expect(valuesOf(seen, 'cookie')).toEqual(['SPRING=mine']);
  });

  it('keeps the backend session on our side: one sign-in, nothing for the browser, another one for another person', async () => {
    const opened: string[] = [];
    const upstream = await startUpstream((req, res) => {
      if (req.url === '/turn') res.setHeader('Set-Cookie', ['session=turned; Path=/; HttpOnly', 'theme=dark']);
      if (req.url === '/forgotten') res.writeHead(302, { location: '/login/?next=/' });
      res.end();
    });
    const backendSession = {
      cookieNames: ['session'],
      open: async ({ userName }: { userName: string }) => {
        opened.push(userName);
        return [`session=of-${userName}-${opened.length}`];
      },
      expired: (status: number, location?: string) => status === 302 && location?.startsWith('/login/') === true,
    };
    const { port, end } = await startWorld({ upstream: upstream.url, target: { backendSession } });
    const cookies = async (line: string, id = 'alice') => {
      const answer = await ask(port, line, [`Cookie: a=1; session=forged; latchgate=${id}`]);
      return [valuesOf(upstream.seen.at(-1), 'cookie').join('|'), answer.headers('set-cookie').join('|')];
    };
    const both = await Promise.all([cookies('GET /'), cookies('GET /x')]);
    expect(both.map(([sent]) => sent)).toEqual(['a=1; session=of-alice-1', 'a=1; session=of-alice-1']);
    expect(opened).toEqual(['alice']);
    expect(await cookies('GET /turn')).toEqual(['a=1; session=of-alice-1', 'theme=dark']);
    expect((await cookies('GET /'))[0]).toBe('a=1; session=turned');
    expect((await cookies('GET /', 'bob'))[0]).toBe('a=1; session=of-bob-2');
    await cookies('GET /forgotten');
    expect((await cookies('GET /'))[0]).toBe('a=1; session=of-alice-3');
    end('alice');
    await until(() => opened.length === 3, 'no further sign-in');
    expect((await ask(port, 'GET /')).status).toBe(401);
  });
});

describe('cookies', () => {
  it('of the gateway never reach the upstream; the others arrive byte by byte', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const odd = 'a="x y";  b==%3B=;c; =d;\te=\xe9';
    const header = `Cookie: ${odd}; latchgate=alice; __Host-latchgate=1;__Secure-latchgate=2; latchgate-login=3; Latchgate=4`;
    await ask(port, 'GET /', [header]);
    expect(valuesOf(upstream.seen[0], 'cookie')).toEqual([`${odd}; Latchgate=4`]);
  });

  it('of our names are not taken from the upstream, in any spelling', async () => {
    const lines = [
      'latchgate=evil; Path=/',
      '__Host-latchgate=evil; Secure; Path=/',
      '__host-LATCHGATE=evil',
      ' latchgate =evil',
      '=latchgate=evil',
      '= __Host-latchgate=evil',
      'latchgate-login=evil; Domain=example.com',
      'own=1; HttpOnly',
      'latchgate2=fine',
    ];
    const upstream = await startUpstream((_req, res) => {
      res.setHeader('Set-Cookie', lines);
      res.end();
    });
    const { port } = await startWorld({ upstream: upstream.url });
    expect((await ask(port, 'GET /')).headers('set-cookie')).toEqual(['own=1; HttpOnly', 'latchgate2=fine']);
  });

  it('of the gateway are not taken away by the upstream with all that browsers keep of the site', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'Clear-Site-Data': '"cookies"', clear_site_data: '"*"', 'X-Own': 'stays' }).end();
    });
    const { port } = await startWorld({ upstream: upstream.url });
    expect((await ask(port, 'GET /')).head).toMatch(/^X-Own: stays\r$/m);
    expect((await ask(port, 'GET /')).head).not.toMatch(/site.data/i);
  });
});
