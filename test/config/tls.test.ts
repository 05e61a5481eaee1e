import { readFileSync } from 'node:fs';
import { type Certificates, makeCertificates } from '../services/tls.ts';
import { codes, configText, examine, SECRET, warningCodes } from './fixture.ts';

let made: Certificates;
let files: Record<string, string>;

beforeAll(async () => {
  made = await makeCertificates('DNS:bi.example.com');
  const other = await made.issue('DNS:*.example.com,IP:127.0.0.1', 100);
  const read = (path: string) => readFileSync(path, 'utf8');
  files = {
    '/etc/latchgate/bi.crt': read(made.certificateFile),
    '/etc/latchgate/bi.key': read(made.keyFile),
    '/etc/latchgate/tls/any.crt': read(other.certificateFile) + made.ca,
    '/etc/latchgate/tls/any.key': read(other.keyFile),
    '/etc/latchgate/text.pem': 'no PEM at all',
    '/etc/latchgate/half.crt': read(made.certificateFile).slice(0, 200),
    '/etc/latchgate/locked.key': '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII=\n-----END ENCRYPTED PRIVATE KEY-----\n',
  };
});
afterAll(() => made.remove());

function look(tls: string, sections: Readonly<Record<string, string>> = {}) {
  const examined = examine(configText({ ...sections, tls: `tls: ${tls}` }), { files });
  return { examined, complaints: codes(examined), warnings: warningCodes(examined) };
}

describe('the files of tls', () => {
  it('are found beside the config file, one pair or several', () => {
    const { examined, complaints } = look('{ certificate: bi.crt, key: bi.key }');
    expect(complaints).toEqual([]);
    expect(examined.config?.tls).toEqual({
      certificate: ['/etc/latchgate/bi.crt'],
      key: ['/etc/latchgate/bi.key'],
      min_version: 'TLSv1.2',
    });
    const several = look('{ certificate: [tls/any.crt, /etc/latchgate/bi.crt], key: "tls/any.key, bi.key" }');
    expect(several.complaints).toEqual([]);
    expect(several.examined.config?.tls?.key).toEqual(['/etc/latchgate/tls/any.key', '/etc/latchgate/bi.key']);
  });

  it.each([
    ['that are not there', '{ certificate: none.crt, key: none.key }', ['certificate.0', 'key.0']],
    ['that hold no PEM', '{ certificate: text.pem, key: bi.key }', ['certificate.0']],
    ['that were cut', '{ certificate: half.crt, key: bi.key }', ['certificate.0']],
    ['with a key that is none', '{ certificate: bi.crt, key: text.pem }', ['key.0']],
    ['with a key of another certificate', '{ certificate: bi.crt, key: tls/any.key }', ['key.0']],
    ['with a key that needs a passphrase', '{ certificate: bi.crt, key: locked.key }', ['key.0']],
    ['in another order', '{ certificate: [bi.crt, tls/any.crt], key: [tls/any.key, bi.key] }', ['key.0', 'key.1']],
  ])('are refused with their name, and nothing of their contents: %s', (_name, tls, paths) => {
    const { examined, complaints } = look(tls);
    expect([...complaints].sort()).toEqual(paths.map((path) => `certificate_unusable tls.${path}`));
    for (const { message } of examined.complaints)
      expect(message).toMatch(/^the file \/etc\/latchgate\/\S+ [a-z,: ]+$/i);
  });

  it('are as many keys as certificates, and no older versions are taken', () => {
    expect(look('{ certificate: [bi.crt, tls/any.crt], key: bi.key }').complaints).toEqual(['invalid_value tls.key']);
    expect(look('{ certificate: bi.crt, key: bi.key, min_version: TLSv1.1 }').complaints).toEqual([
      'not_an_option tls.min_version',
    ]);
    expect(look('{ certificate: bi.crt }').complaints).toEqual(['missing_key tls.key']);
    expect(look('{ certificate: [], key: [] }').complaints).toEqual([
      'invalid_value tls.certificate',
      'invalid_value tls.key',
    ]);
  });

  it('are warned of when they end soon, or are for no host that is served', () => {
    expect(look('{ certificate: bi.crt, key: bi.key }').warnings).toEqual([]);
    expect(look('{ certificate: tls/any.crt, key: tls/any.key }').warnings).toEqual([]);
    const hosts = {
      session: `session: { secrets: ["${SECRET}"], cookie_domain: example.com }`,
      routes: 'routes: [{ path: /, to: superset }, { host: reports.example.com, path: /, to: superset }]',
    };
    const { examined, warnings } = look('{ certificate: bi.crt, key: bi.key }', hosts);
    expect(warnings).toEqual(['certificate_missing tls.certificate']);
    expect(examined.warnings[0]?.message).toContain('reports.example.com');
    expect(look('{ certificate: [bi.crt, tls/any.crt], key: [bi.key, tls/any.key] }', hosts).warnings).toEqual([]);
  });

  it('make little sense with a public address that has no TLS', () => {
    const plain = { public_url: 'public_url: http://127.0.0.1:4180' };
    expect(look('{ certificate: tls/any.crt, key: tls/any.key }', plain).warnings).toEqual([
      'insecure_public_url public_url',
    ]);
  });
});

describe('the end of the gateway', () => {
  it('has a time to go on and a time for open requests', () => {
    const shutdown = (text: string) => examine(configText({ shutdown: `shutdown: ${text}` }));
    expect(examine(configText()).config?.shutdown).toEqual({ delay: 0, idle: 5_000, drain: 25_000 });
    expect(shutdown('{ delay: 10s, idle: 70s, drain: 2m }').config?.shutdown).toEqual({
      ...{ delay: 10_000, idle: 70_000, drain: 120_000 },
    });
    expect(codes(shutdown('{ delay: "-1s", idle: "-1s", drain: 0s }'))).toEqual([
      'invalid_value shutdown.delay',
      'invalid_value shutdown.idle',
      'invalid_value shutdown.drain',
    ]);
  });
});
