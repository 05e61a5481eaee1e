import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, formatComplaint } from '../../src/config/complaint.ts';
import { loadConfig } from '../../src/config/load.ts';
import { codes, configText, examine, FILE, SECRET } from './fixture.ts';

describe('a right config', () => {
  it('is read with its defaults', () => {
    const { config, complaints, warnings } = examine(configText());
    expect([...complaints, ...warnings]).toEqual([]);
    expect(config).toMatchObject({
      version: 1,
      listen: { host: '0.0.0.0', port: 4180 },
      admin_listen: { host: '127.0.0.1', port: 4181 },
      trusted_proxies: [],
      log: { level: 'info', access: false },
      state: { database: 'sqlite:/etc/latchgate/data/latchgate.db' },
      session: { store: 'embedded', idle: 3_600_000, absolute: 43_200_000 },
      identity: { match: ['link', 'external_id', 'verified_email'], require: ['email'] },
      groups: { strip: '', max: 1_000, rename: {}, allow: ['*'] },
      safety: { manage: 'ours', leaver: { now: 'disable' }, privileged: [], never_touch: [] },
    });
    expect(config?.login['staff']).toMatchObject({
      type: 'oidc',
      scopes: ['openid', 'profile', 'email'],
      groups_absent: 'keep',
      claims: { groups: ['urn.gooddata.user_groups', 'groups'], external_id: ['sub'] },
    });
    expect(config?.targets['superset']).toMatchObject({
      sign_in: 'assertion',
      missing: { users: 'create', groups: 'create', roles: 'refuse' },
    });
  });

  it('takes numbers, yes and no, and lists as texts too', () => {
    const { config, complaints } = examine(
      configText({
        version: 'version: "1"',
        groups: 'groups: { max: "50", allow: "analytics-team, bi-*,," }',
        routes: 'routes: [{ path: /, to: superset, public: "true", methods: "get, head" }]',
        identity: 'identity: { match: "link, user_name", require: "" }',
      }),
    );
    expect(complaints).toEqual([]);
    expect(config).toMatchObject({
      version: 1,
      groups: { max: 50, allow: ['analytics-team', 'bi-*'] },
      routes: [{ public: true, methods: ['GET', 'HEAD'] }],
      identity: { match: ['link', 'user_name'], require: [] },
    });
  });

  it('keeps a comma in a text that a rule compares', () => {
    const when = 'when: { groups: analytics-team, name: "Adams, Alice" }';
    const { config } = examine(configText({ rules: `rules: { one: { ${when}, grant: { superset: {} } } }` }));
    expect(config?.rules['one']?.when).toEqual({ groups: ['analytics-team'], name: ['Adams, Alice'] });
  });

  it('uses anchors and aliases', () => {
    const { config } = examine(
      configText({
        rules:
          'rules: { a: { when: { groups: a }, grant: &alpha { superset: { roles: [Alpha] } } }, b: { when: { groups: b }, grant: *alpha } }',
      }),
    );
    expect(config?.rules['b']?.grant).toEqual(config?.rules['a']?.grant);
  });

  it('has SQLite files beside itself and leaves other databases alone', () => {
    const database = (url: string) =>
      examine(configText({ state: `state: { database: "${url}" }` })).config?.state.database;
    expect(database('sqlite:x.db')).toBe('sqlite:/etc/latchgate/x.db');
    expect(database('sqlite:/var/lib/x.db')).toBe('sqlite:/var/lib/x.db');
    expect(database('sqlite::memory:')).toBe('sqlite::memory:');
    expect(database('postgres://db/latchgate')).toBe('postgres://db/latchgate');
  });
});

describe('a file that is no config', () => {
  it.each([
    ['is empty', '', 'file_empty'],
    ['holds only comments', '# nothing\n', 'file_empty'],
    ['is a list', '- a\n- b\n', 'wrong_type'],
    ['is a single text', 'latchgate', 'wrong_type'],
    ['is binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0x02, 0x00, 0xff]), 'file_not_text'],
    ['is UTF-16', Buffer.from('\ufeffversion: 1', 'utf16le'), 'file_not_text'],
    ['holds NUL', 'version: 1\0', 'file_not_text'],
    ['is huge', `# ${'x'.repeat(1_048_576)}`, 'file_too_large'],
    ['is nested without end', '['.repeat(50_000), 'yaml_syntax'],
    [
      'has a condition without end',
      configText({ rules: `rules: { r: { when: ${'{ not: '.repeat(300)}{ name: x }${' }'.repeat(300)}, deny: no } }` }),
      'yaml_syntax',
    ],
    ['holds two documents', `${configText()}---\nversion: 1\n`, 'yaml_syntax'],
    ['is indented with tabs', 'session:\n\tidle: 1h\n', 'yaml_tab'],
  ])('%s', (_, text, code) => {
    const { config, complaints } = examine(text);
    expect(config).toBeUndefined();
    expect(complaints.map((complaint) => complaint.code)).toEqual([code]);
  });

  it('is not there, or may not be read', () => {
    expect(examineMissing('ENOENT')).toEqual([
      `${FILE}: file_unreadable: the file is not there (name it with --config FILE)`,
    ]);
    expect(examineMissing('EACCES')).toEqual([`${FILE}: file_unreadable: the file may not be read by this user`]);
  });

  it('unfolds to more than anybody wrote', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [at, name] of [...'bcdefgh'].entries()) {
      const before = 'abcdefgh'[at];
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(',')}]`);
    }
    expect(examine(bomb.join('\n')).complaints.map(({ code }) => code)).toContain('yaml_alias');
  });

  it('has an alias to the block that it is in', () => {
    expect(examine('rules: &r { a: *r }').complaints.map(({ code }) => code)).toContain('yaml_alias');
  });
});

function examineMissing(code: string): readonly string[] {
  const error = Object.assign(new Error(code), { code });
  return examine('', { files: { [FILE]: error } }).complaints.map(formatComplaint);
}

describe('loadConfig', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('reads real files, secret files beside the config too', () => {
    const file = join(folder, 'latchgate.yaml');
    writeFileSync(join(folder, 'session'), `${SECRET}\n`);
    writeFileSync(file, configText({ session: 'session: { secrets: ["${file:session}"] }' }));
    expect(loadConfig(file, { env: {} }).session.secrets).toEqual([SECRET]);
  });

  it('throws every complaint at once, as one error with a code', () => {
    const file = join(folder, 'bad.yaml');
    writeFileSync(file, configText({ version: 'version: 2', public_url: '' }));
    const error = thrown(() => loadConfig(file, { env: {} }));
    expect(error.code).toBe('config_invalid');
    expect(error.complaints.map(({ code }) => code)).toEqual(['missing_key', 'not_an_option']);
    expect(error.message.split('\n')).toEqual(error.complaints.map(formatComplaint));
  });

  it('says that the file is not there, or is a directory', () => {
    expect(thrown(() => loadConfig(join(folder, 'none.yaml'), { env: {} })).code).toBe('config_unreadable');
    const directory = thrown(() => loadConfig(folder, { env: {} }));
    expect(directory.code).toBe('config_unreadable');
    expect(directory.message).toContain('this is a directory');
  });
});

function thrown(act: () => unknown): ConfigError {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a section with a complaint', () => {
  it('is still checked against the other sections, without what cannot be read', () => {
    const { complaints } = examine(
      configText({
        routes: 'routes: [{ path: /a, to: supr, pth: 1 }, { path: /x, to: supperset }]',
        identity: 'identity: { require: [emial], match: [link, x] }',
      }),
    );
    expect(complaints.map(({ path }) => path.join('.')).sort()).toEqual(
      expect.arrayContaining(['identity.match.1', 'identity.require.0', 'routes.0.pth', 'routes.0.to', 'routes.1.to']),
    );
  });
});

describe('substitution', () => {
  const url = (text: string) => ({ targets: `targets: { superset: { type: superset, url: "${text}" } }` });
  const urlOf = (text: string, env: Readonly<Record<string, string>>) =>
    examine(configText(url(text)), { env }).config?.targets['superset']?.url;

  it('puts in variables of the environment', () => {
    expect(urlOf('http://${HOST}:${PORT}', { HOST: 'superset', PORT: '8088' })).toBe('http://superset:8088');
  });

  it('uses a default for a variable that is unset or empty', () => {
    expect(urlOf('http://${HOST:-other}', {})).toBe('http://other');
    expect(urlOf('http://${HOST:-other}', { HOST: '' })).toBe('http://other');
    expect(urlOf('http://${HOST:-other}', { HOST: 'superset' })).toBe('http://superset');
  });

  it('does not read again what it put in', () => {
    const { config } = examine(configText(deny('${SAYS}')), { env: { SAYS: '${SECRET} ${file:/etc/shadow}' } });
    expect(config?.rules['no']?.deny).toBe('${SECRET} ${file:/etc/shadow}');
  });

  it('writes a literal ${ for $${', () => {
    expect(examine(configText(deny('Pay $${PRICE} or $5'))).config?.rules['no']?.deny).toBe('Pay ${PRICE} or $5');
  });

  it('takes numbers and lists from the environment', () => {
    const text = configText({ groups: 'groups: { max: "${MAX}", allow: "${ALLOW}" }' });
    const { config } = examine(text, { env: { MAX: '7', ALLOW: 'a,analytics-team' } });
    expect(config?.groups).toMatchObject({ max: 7, allow: ['a', 'analytics-team'] });
  });

  it('knows no variable that every object has', () => {
    expect(codes(examine(configText(deny('${constructor} ${toString}'))))).toEqual([
      'env_missing rules.no.deny',
      'env_missing rules.no.deny',
    ]);
  });

  it('leaves grants alone: what stands there are captures', () => {
    const rules = 'rules: { same: { when: { groups: "bi-*" }, grant: { superset: { roles: ["${match}"] } } } }';
    const { config } = examine(configText({ rules }), { env: { match: 'Admin' } });
    expect(config?.rules['same']?.grant?.['superset']?.roles).toEqual(['${match}']);
  });

  it.each([
    ['${', 'is not closed'],
    ['${HOST', 'is not closed'],
    ['${}', 'neither a variable nor'],
    ['${HOST:?needed}', 'neither a variable nor'],
    ['${A B}', 'neither a variable nor'],
    ['${file:}', 'names no file'],
    ['${A:-${B}}', 'inside'],
  ])('refuses %s', (text, why) => {
    const { complaints } = examine(configText(deny(text)));
    expect(complaints.map(({ code }) => code)).toEqual(['substitution_invalid']);
    expect(complaints[0]?.message).toContain(why);
  });

  it('refuses variables in keys', () => {
    expect(codes(examine(configText({ groups: 'groups: { rename: { "${ID}": bi-admins } }' })))).toEqual([
      'substitution_invalid groups.rename',
    ]);
  });

  function deny(sentence: string): Record<string, string> {
    return { rules: `rules: { no: { when: { groups: x }, deny: ${JSON.stringify(sentence)} } }` };
  }
});

describe('secret files', () => {
  const text = configText({ session: 'session: { secrets: ["${file:/run/secrets/session}"] }' });
  const withSecret = (content: string | Uint8Array | Error) =>
    examine(text, { files: { '/run/secrets/session': content } });
  const complaint = (content: string | Uint8Array | Error) =>
    withSecret(content).complaints.map(({ code, message }) => `${code}: ${message}`);

  it('lose one newline at the end and nothing else', () => {
    expect(withSecret(`${SECRET}\n`).config?.session.secrets).toEqual([SECRET]);
    expect(withSecret(`${SECRET}\r\n`).config?.session.secrets).toEqual([SECRET]);
    expect(withSecret(` ${SECRET}\n\n`).config?.session.secrets).toEqual([` ${SECRET}\n`]);
  });

  it('that cannot be used are named, each with its own code', () => {
    expect(examine(text).complaints.map(({ code }) => code)).toEqual(['secret_file_missing']);
    expect(complaint('')).toEqual(['secret_file_empty: the secret file /run/secrets/session is empty']);
    expect(complaint('\n')).toEqual(['secret_file_empty: the secret file /run/secrets/session is empty']);
    expect(complaint(new Uint8Array([0xff, 0xfe, 0x00]))).toEqual([
      'secret_file_unreadable: the secret file /run/secrets/session is not UTF-8 text',
    ]);
    expect(complaint('x'.repeat(70_000))).toEqual([
      'secret_file_unreadable: the secret file /run/secrets/session is longer than 64 KiB',
    ]);
    expect(complaint(Object.assign(new Error(), { code: 'EACCES' }))).toEqual([
      'secret_file_unreadable: the secret file /run/secrets/session may not be read by this user',
    ]);
    expect(complaint(Object.assign(new Error(), { code: 'EISDIR' }))).toEqual([
      'secret_file_unreadable: the secret file /run/secrets/session is a directory',
    ]);
  });
});

describe('a value from outside that is wrong', () => {
  const LEAK = 'hunter2-leak';

  it.each([
    ['log: { level: "${X}" }', 'not_an_option log.level'],
    ['session: { secrets: "${X}" }', 'invalid_value session.secrets'],
    ['public_url: "${X}"', 'invalid_value public_url'],
    ['groups: { max: "${X}" }', 'invalid_value groups.max'],
    ['state: { database: "${X}" }', 'invalid_value state.database'],
    ['targets: { superset: { type: "${X}", url: "http://superset" } }', 'not_an_option targets.superset.type'],
    ['routes: [{ path: /, to: superset, methods: "${X}" }]', 'invalid_value routes.0.methods'],
    ['groups: { allow: ["~(${X}"] }', 'pattern_invalid groups.allow.0'],
  ])('is never shown, but where it comes from: %s', (section, code) => {
    const name = section.slice(0, section.indexOf(':'));
    const examined = examine(configText({ [name]: section }), { env: { X: LEAK } });
    expect(codes(examined)).toEqual([code]);
    expect(examined.complaints.map(formatComplaint).join('\n')).not.toContain(LEAK);
    if (!section.includes('~')) expect(examined.complaints[0]?.hint).toContain('${X}');
  });

  it('is called empty when it is', () => {
    const { complaints } = examine(configText({ public_url: 'public_url: "${X}"' }), { env: { X: '' } });
    expect(complaints[0]?.hint).toBe('${X} is set, but empty');
  });

  it('is not shown either where a name is looked up', () => {
    const examined = examine(configText({ routes: 'routes: [{ path: /, to: "${X}" }]' }), { env: { X: LEAK } });
    expect(codes(examined)).toEqual(['unknown_target routes.0.to']);
    expect(examined.complaints.map(formatComplaint).join('\n')).not.toContain(LEAK);
  });
});
