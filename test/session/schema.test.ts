import { sessionSchema } from '../../src/session/schema.ts';

const SECRETS = ['a secret of at least thirty-two characters'];

/** What a store is read as, or what is said of it. */
function read(store: unknown): unknown {
  const { success, data, error } = sessionSchema.safeParse({ store, secrets: SECRETS });
  return success ? data.store : error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
}

const single = { kind: 'single', tls: false, database: 0 };

it('keeps sessions in the state database when nothing is said', () => {
  expect(sessionSchema.parse({ secrets: SECRETS }).store).toBe('embedded');
  expect(read('embedded')).toBe('embedded');
});

it.each([
  ['redis://redis', { ...single, nodes: [{ host: 'redis', port: 6379 }] }],
  ['redis://redis.example.com:6380/3', { ...single, nodes: [{ host: 'redis.example.com', port: 6380 }], database: 3 }],
  ['rediss://[::1]:6380', { ...single, nodes: [{ host: '::1', port: 6380 }], tls: true }],
  ['redis://:a%40b@redis', { ...single, nodes: [{ host: 'redis', port: 6379 }], password: 'a@b' }],
  [
    'redis://u:a@b/c:d@redis',
    { ...single, nodes: [{ host: 'redis', port: 6379 }], username: 'u', password: 'a@b/c:d' },
  ],
  [
    'redis-sentinel://:p@s1,s2:26380/main',
    {
      kind: 'sentinel',
      nodes: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_380 },
      ],
      master: 'main',
      tls: false,
      database: 0,
      password: 'p',
    },
  ],
  [
    'rediss-cluster://n1:7000,n2',
    {
      kind: 'cluster',
      nodes: [
        { host: 'n1', port: 7000 },
        { host: 'n2', port: 6379 },
      ],
      tls: true,
      database: 0,
    },
  ],
])('reads %s', (url, servers) => {
  expect(read(url)).toEqual(servers);
  expect(read({ url })).toEqual(servers);
});

it('takes passwords and the certificate authority beside the address', () => {
  const store = { url: 'rediss-sentinel://latchgate@s1/main', password: '%', sentinel_password: 's', ca: 'PEM' };
  expect(read(store)).toMatchObject({
    username: 'latchgate',
    password: '%',
    sentinelPassword: 's',
    ca: 'PEM',
    tls: true,
  });
});

it.each([
  ['', /must not be empty/],
  ['embeded', /must be embedded or redis:/],
  ['redis', /must be embedded or redis:/],
  ['redis://', /must be embedded or redis:/],
  ['http://redis', /must be embedded or redis:/],
  ['redis://a b', /must name its servers as HOST:PORT/],
  ['redis://redis:0', /must name its servers/],
  ['redis://redis:65536', /must name its servers/],
  ['redis://a,b', /must name one server only/],
  ['redis://redis/main', /must end with the number of the database/],
  ['redis://:%zz@redis', /percent-encoded/],
  ['redis://who@redis', /must have a password/],
  ['redis-sentinel://s1', /must end with the name of the master/],
  ['redis-cluster://n1/1', /must not name a database/],
  [{ url: 'embedded' }, /^url must be redis:/],
  [{ url: 'redis://redis', host: 'x' }, /Unrecognized key/],
  [{ url: 'redis://:a@redis', password: 'b' }, /^store\.password must not stand beside/],
  [{ url: 'redis://redis', sentinel_password: 'b' }, /^store\.sentinel_password needs an address/],
  [{ url: 'redis://redis', ca: 'PEM' }, /^store\.ca needs an address that begins with rediss/],
  [7, /must be a text or a map/],
])('refuses %p', (store, said) => {
  const complaints = read(store);
  expect(Array.isArray(complaints)).toBe(true);
  expect((complaints as string[]).map((one) => one.replace(/^store( |\.(?=url))/, ''))).toEqual([
    expect.stringMatching(said),
  ]);
});
