import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { sql } from 'kysely';
import { run } from '../../src/cli/program.ts';
import { FINDINGS } from '../../src/compose/doctor/findings.ts';
import { lookAtFile } from '../../src/compose/doctor/look-at-file.ts';
import { lookAtState } from '../../src/compose/doctor/look-at-state.ts';
import { lookAtTarget } from '../../src/compose/doctor/look-at-target.ts';
import type { Patient } from '../../src/compose/doctor/patient.ts';
import { loadConfig } from '../../src/config/load.ts';
import { openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { type Certificates, makeCertificates } from '../services/tls.ts';
import { BOTH, CLIENT_ID, CLIENT_SECRET, person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';
import {
  answering,
  diagnose,
  type Fixture,
  type ProviderQuirks,
  type Stub,
  startQuirkyProvider,
  startQuirkyRedis,
  writeConfig,
} from './sick.ts';

// Every finding of the doctor, on a deployment in which this one thing is wrong; and none where nothing is.
const COMPANY = { ...BOTH, rules: BOTH['rules']?.replace('groups: "*"', 'groups: "team-*"') ?? '' };
const SECRET = 'only for tests, and long enough for the rule';
const shown = new Set<string>();
const stubs: Stub[] = [];
let journey: Journey;
let made: Certificates;

beforeAll(async () => {
  made = await makeCertificates();
  journey = await startJourney({ people: [person('ann', { groups: ['team-a'] })], sections: COMPANY });
  await journey.logIn('ann');
});
afterAll(async () => {
  for (const stub of stubs) await stub.close();
  await journey.close();
  made.remove();
});

async function stub(starting: Promise<Stub>): Promise<Stub> {
  const started = await starting;
  stubs.push(started);
  return started;
}

/** The findings of a fixture are these, and no others. */
async function expectFindings(fixture: Fixture, ...expected: readonly (keyof typeof FINDINGS)[]): Promise<string> {
  const { code, codes, seen } = await diagnose(journey, COMPANY, fixture);
  expect(codes).toEqual([...expected].sort());
  expect(code).toBe(6);
  for (const one of expected) shown.add(one);
  return seen;
}

const login = (more: string, issuer = '"${ISSUER}"') =>
  `{ acme: { issuer: ${issuer}, client_id: ${CLIENT_ID}, client_secret: ${CLIENT_SECRET}, ${more} } }`;
const at = (url: string) => login('', `"${url}"`);
const superset = (more: string) => `{ superset: { type: superset, url: "\${SUPERSET_URL}", ${more} } }`;
const ONLY_SUPERSET = {
  rules: '{ everybody: { grant: { superset: { roles: [Gamma] } } } }',
  routes: '[{ path: /, to: superset }]',
};

describe('a good set-up', () => {
  it('has no finding: 0, every look done', async () => {
    const { code, out, err } = await journey.cli('doctor');
    expect([code, err, code === 0 ? '' : out]).toEqual([0, '', '']);
    expect(out).toMatch(/\n\d+ looks: nothing found$/);
    expect(out).not.toMatch(/FOUND|not done/);
  });

  it('writes to no target', async () => {
    const before = JSON.stringify([[...journey.superset.state.users], [...journey.gooddata.state.users]]);
    const from = journey.superset.requests.length;
    expect((await journey.cli('doctor')).code).toBe(0);
    expect(JSON.stringify([[...journey.superset.state.users], [...journey.gooddata.state.users]])).toBe(before);
    expect(journey.superset.requests.slice(from).filter(({ method }) => method !== 'GET')).toEqual([]);
  });
});

describe('the file', () => {
  it('what check warns of', async () => {
    await expectFindings({ sections: { session: `{ secrets: ["${SECRET}"], idle: 24h }` } }, 'config_warning');
    await expectFindings({ sections: { admin_listen: '0.0.0.0:4999' } }, 'admin_public');
    await expectFindings(
      { env: { GOODDATA_URL: journey.gooddata.url.replace('127.0.0.1', '0.0.0.0') } },
      'cleartext_token',
    );
  });

  it('plain http where others get to', async () => {
    const listen = journey.env['GATEWAY_LISTEN']?.replace('127.0.0.1', '0.0.0.0') ?? '';
    await expectFindings({ sections: { listen } }, 'public_url_not_https');
  });

  it.each(['127.0.0.2', '127.255.255.254', '[::1]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', 'localhost'])(
    'but not plain http where only this machine gets to: %s',
    async (host) => {
      const listen = `"${journey.env['GATEWAY_LISTEN']?.replace('127.0.0.1', host)}"`;
      const { code, codes } = await diagnose(journey, COMPANY, { sections: { listen } });
      expect([0, 6]).toContain(code);
      expect(codes).not.toContain('public_url_not_https');
    },
  );

  it('secrets that others can read, guess, or know from elsewhere', async () => {
    const file = join(journey.folder, 'oidc');
    writeFileSync(file, CLIENT_SECRET);
    chmodSync(file, 0o644);
    const opened = `{ acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: "\${file:./oidc}" } }`;
    await expectFindings({ sections: { login: opened } }, 'secret_file_open');
    chmodSync(file, 0o600);
    expect((await diagnose(journey, COMPANY, { sections: { login: opened } })).codes).toEqual([]);
    const weak = 'abcdefgh'.repeat(5);
    await expectFindings({ sections: { session: `{ secrets: ["${SECRET}", "${weak}"] }` } }, 'secret_weak');
    const shared = { trusted_proxies: '[192.0.2.7]', forward_auth: `{ secrets: ["${SECRET}"] }` };
    await expectFindings({ sections: shared }, 'secret_shared');
  });

  it.each(['[0.0.0.0/0]', '[203.0.113.0/20]', '["10.0.0.0/7"]', '["::/0"]'])(
    'proxies that are too many: %s',
    async (list) => {
      await expectFindings({ sections: { trusted_proxies: list } }, 'trusted_proxies_wide');
    },
  );

  it('proxies that are few enough: nothing', async () => {
    const sections = { trusted_proxies: '[10.0.0.0/8, 203.0.113.0/24, 192.0.2.1, "::1", "fd00::/8"]' };
    expect((await diagnose(journey, COMPANY, { sections })).codes).toEqual([]);
  });

  it('a cookie that more hosts get than are ours', async () => {
    const url = journey.url.replace('127.0.0.1', 'bi.localhost');
    const session = `{ secrets: ["${SECRET}"], cookie_domain: bi.localhost }`;
    // Superset and the provider know the gateway by another name, too.
    await expectFindings(
      { env: { GATEWAY_URL: url }, sections: { session } },
      'cookie_domain_wide',
      'redirect_uri_refused',
      'superset_assertion_refused',
    );
  });

  it('certificates that have run out, here and in front', async () => {
    const { certificateFile, keyFile } = await made.issue('IP:127.0.0.1', 0);
    const server = createServer({ cert: readFileSync(certificateFile), key: readFileSync(keyFile) });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { ...journey.env, GATEWAY_URL: `https://127.0.0.1:${port}` };
    const tls = JSON.stringify({ certificate: certificateFile, key: keyFile });
    const configFile = writeConfig(journey, { ...COMPANY, tls });
    const patient = { configFile, config: loadConfig(configFile, { env }), clock: { now: Date.now } };
    const looks = await Promise.all(lookAtFile(patient as Patient, env));
    server.close();
    const codes = looks.flatMap(({ findings }) => findings.map(({ code }) => code));
    expect(codes).toEqual(['certificate_expiring', 'public_certificate_expiring']);
    for (const code of codes) shown.add(code);
  });
});

describe('state and sessions', () => {
  it('a database that is not there: said once, and what needs it is left out', async () => {
    await expectFindings({ sections: { state: '{ database: "postgres://u:p@127.0.0.1:1/x" }' } }, 'state_unreachable');
  });

  it('Redis beside a file; Redis that is not there, old, or forgets', async () => {
    const store = (url: string) => ({ sections: { session: `{ secrets: ["${SECRET}"], store: "${url}" }` } });
    await expectFindings(store('redis://127.0.0.1:1'), 'state_not_shared', 'sessions_unreachable');
    const old = await stub(startQuirkyRedis('redis_version:5.0.7\r\nmaxmemory_policy:allkeys-lru\r\n'));
    await expectFindings(store(old.url), 'state_not_shared', 'redis_old', 'redis_evicts');
    const good = await stub(startQuirkyRedis('redis_version:7.2.4\r\nmaxmemory_policy:noeviction\r\n'));
    await expectFindings(store(good.url), 'state_not_shared');
  });

  it('an old PostgreSQL, and a file on a network disk', async () => {
    const config = loadConfig(journey.configFile, { env: journey.env });
    const database = {
      engine: 'postgres',
      probe: async () => {},
      run: async () => ({ rows: [{ version: '120017' }] }),
    };
    const state = { database, audit: { verify: async () => ({ records: 0 }) } };
    const patient = { config, state } as unknown as Patient;
    const looks = await Promise.all(lookAtState(patient, undefined, () => 0x6969));
    const codes = looks.flatMap(({ findings }) => findings.map(({ code }) => code));
    expect(codes.sort()).toEqual(['postgres_old', 'state_on_network_disk']);
    for (const code of codes) shown.add(code);
  });

  it('an audit chain that was changed, a sync that failed, SCIM clients without a token for long', async () => {
    const sections = {
      ...ONLY_SUPERSET,
      targets: superset(''),
      state: '{ database: "sqlite:./other.db" }',
      sources: '{ hr: { type: file, path: ./people.csv } }',
      sync: '{ hr: { from: hr, to: superset } }',
      scim: '{ clients: { okta: {}, entra: {} } }',
    };
    const database = await openDatabase(`sqlite:${join(journey.folder, 'other.db')}`);
    const directory = createDirectory(database, { now: Date.now });
    await directory.syncRuns.begin({ id: 'r1', sync: 'hr', by: 'schedule', startedAt: new Date() });
    await directory.syncRuns.finish('r1', {
      finishedAt: new Date(),
      outcome: 'failed',
      counts: {},
      code: 'source_empty',
    });
    const token = [
      'scim',
      'token',
      '--client',
      'okta',
      '--expires',
      '5d',
      '--config',
      writeConfig(journey, { ...COMPANY, ...sections }),
    ];
    expect(await run(token, makeTerminal({ ...journey.env }))).toBe(0);
    await database.run((db) => sql`update audit_records set body = replace(body, 'okta', 'oktb')`.execute(db));
    await directory.close();
    const seen = await expectFindings(
      { sections },
      'audit_broken',
      'sync_trouble',
      'scim_token_missing',
      'scim_token_expiring',
      // Superset has the keys of the other database.
      'superset_assertion_refused',
    );
    expect(seen).toContain('record 1 does not hold');
  });
});

describe('identity providers', () => {
  it('one that is not there, or is something else', async () => {
    const silent = await expectFindings({ sections: { login: at('http://127.0.0.1:1') } }, 'provider_unreachable');
    expect(silent).toContain('does not answer (provider_unavailable)');
    expect(silent).not.toContain('target_unavailable');
    const page = await stub(
      answering((_req, res) => void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>hello')),
    );
    await expectFindings({ sections: { login: at(page.url) } }, 'provider_metadata_invalid');
  });

  const QUIRKS: readonly [keyof typeof FINDINGS, ProviderQuirks][] = [
    ['provider_issuer_differs', { metadata: { issuer: 'https://id.example' } }],
    ['provider_keys_unusable', { keys: [{ kty: 'RSA', use: 'enc', kid: 'k' }] }],
    ['provider_scope_unknown', { metadata: { scopes_supported: ['openid', 'profile'] } }],
    ['provider_no_logout', { metadata: { end_session_endpoint: null } }],
    ['provider_no_backchannel', { metadata: { backchannel_logout_supported: null } }],
    ['clock_skew', { aheadMs: -120_000 }],
    ['provider_alg_unusable', { metadata: { id_token_signing_alg_values_supported: ['HS256'] } }],
    ['redirect_uri_refused', { authorize: 400 }],
  ];
  it.each(QUIRKS)('%s', async (code, quirks) => {
    const { url } = await stub(startQuirkyProvider(quirks));
    await expectFindings({ sections: { login: at(url) } }, code);
  });

  it('a sound one of that kind: nothing', async () => {
    const { url } = await stub(startQuirkyProvider({}));
    expect((await diagnose(journey, COMPANY, { sections: { login: at(url) } })).codes).toEqual([]);
  });

  it('a real one that does not take our secret, or does not know where people come back to', async () => {
    const wrong = `{ acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: not the one it is } }`;
    await expectFindings({ sections: { login: wrong } }, 'client_refused');
    const renamed = `{ other: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: ${CLIENT_SECRET} } }`;
    await expectFindings({ sections: { login: renamed } }, 'redirect_uri_refused');
  });

  it('a claim that nobody ever came with', async () => {
    const seen = await expectFindings({ sections: { login: login('claims: { groups: bi_groups }') } }, 'claim_missing');
    expect(seen).toContain('bi_groups');
    expect(seen).not.toContain('ann');
  });
});

describe('targets', () => {
  it('one that is not there, is something else, or does not know us', async () => {
    await expectFindings({ env: { GOODDATA_URL: 'http://127.0.0.1:1' } }, 'target_unreachable');
    const page = await stub(
      answering((_req, res) => void res.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>hello')),
    );
    await expectFindings({ env: { GOODDATA_URL: page.url } }, 'target_not_itself');
    await expectFindings({ env: { GOODDATA_TOKEN: 'a token of somebody else' } }, 'target_refuses');
  });

  it('a service account that may not do its work', async () => {
    const { servicePermissions } = journey.superset.state;
    servicePermissions.delete('can_put on User');
    try {
      expect(await expectFindings({}, 'target_rights_missing')).toContain('can_put on users');
    } finally {
      servicePermissions.add('can_put on User');
    }
  });

  it('keys of ours that it does not have: a state database of its own', async () => {
    await expectFindings(
      { sections: { state: '{ database: "sqlite:./fresh.db" }' } },
      'gooddata_key_missing',
      'superset_assertion_refused',
    );
  });

  it('a role that a rule names and nobody made', async () => {
    const rules = '{ everybody: { grant: { superset: { roles: [Gamma, Reader] } } } }';
    const seen = await expectFindings(
      { sections: { ...ONLY_SUPERSET, rules, targets: superset('') } },
      'entitlement_missing',
    );
    expect(seen).toBe('the role Reader, given by everybody, is not there');
  });

  it('Superset in header mode where everybody gets to', async () => {
    const config = loadConfig(
      writeConfig(journey, {
        ...COMPANY,
        ...ONLY_SUPERSET,
        targets:
          '{ superset: { type: superset, url: "http://203.0.113.5:8088", sign_in: header, service_password: "long enough for it" } }',
      }),
      { env: journey.env },
    );
    const probe = async () => {
      throw new LatchgateError('target_unavailable', 'it does not answer');
    };
    const target = { config: config.targets['superset'], target: { probe } };
    const looks = await lookAtTarget('superset', target as never, { config } as Patient);
    const codes = looks.flatMap(({ findings }) => findings.map(({ code }) => code));
    expect(codes).toEqual(['target_unreachable', 'backend_public']);
    shown.add('backend_public');
  });
});

describe('spoofed headers', () => {
  /** A backend that takes its user from a header, folded as WSGI folds it, and is otherwise the emulated Superset. */
  const believing = (header: string) =>
    answering((req, res) => {
      const name = Object.keys(req.headers).find((one) => one.replace(/[^a-z0-9]/g, '-') === header);
      const who = name === undefined ? undefined : req.headers[name];
      const isMe = req.url === '/api/v1/me/';
      if (isMe && who !== undefined) return void res.writeHead(200).end(JSON.stringify({ result: { username: who } }));
      void proxied(req.url ?? '/', req.headers['x-latchgate-assertion'], res);
    });
  const proxied = async (
    path: string,
    assertion: string | string[] | undefined,
    res: import('node:http').ServerResponse,
  ) => {
    const headers = typeof assertion === 'string' ? { 'X-Latchgate-Assertion': assertion } : undefined;
    const answer = await fetch(journey.superset.url + path, { redirect: 'manual', ...(headers && { headers }) });
    const type = answer.headers.get('content-type') ?? 'text/plain';
    res.writeHead(answer.status, { 'Content-Type': type }).end(await answer.text());
  };

  it('a backend that believes one of them, in any spelling', async () => {
    const { url } = await stub(believing('x-remote-user'));
    const seen = await expectFindings(
      { env: { SUPERSET_URL: url }, sections: { ...ONLY_SUPERSET, targets: superset('') } },
      'backend_fooled',
    );
    expect(seen).toContain('X-Remote-User; X_REMOTE_USER');
  });

  it('something in place of the gateway that lets them through', async () => {
    const { port } = await stub(believing('x-forwarded-user'));
    const seen = await expectFindings(
      { sections: { ...ONLY_SUPERSET, targets: superset(''), listen: `127.0.0.1:${port}` } },
      'gateway_fooled',
    );
    for (const name of ['X-Forwarded-User', 'X_Forwarded_User', 'X.Forwarded.User']) expect(seen).toContain(name);
  });

  it('a gateway that does not run now is no finding: it says that this was not done', async () => {
    const terminal = makeTerminal({ ...journey.env });
    const file = writeConfig(journey, { ...COMPANY, listen: '127.0.0.1:1' });
    expect(await run(['doctor', '--config', file], terminal)).toBe(0);
    expect(terminal.lines.join('\n')).toContain('the gateway does not serve at 127.0.0.1:1 now');
  });
});

describe('afterwards', () => {
  it('strangers who ask for somebody else’s request', async () => {
    const headers = { 'X-Original-URI': '/', 'X-Original-Method': 'GET' };
    await fetch(`${journey.url}/.latchgate/auth`, { headers });
    await expectFindings({}, 'forward_auth_stranger');
  });

  it('findings that are known are left out by name: 0; a name that is none: 64', async () => {
    expect((await journey.cli('doctor', '--ignore', 'forward_auth_stranger')).code).toBe(0);
    expect((await journey.cli('doctor', '--ignore', 'everything')).code).toBe(64);
  });

  it('every finding was shown', () => {
    expect([...shown].sort()).toEqual(Object.keys(FINDINGS).sort());
  });
});
