import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import { parse, stringify } from 'yaml';
import { type ExaminedConfig, examineConfig } from '../src/config/load.ts';
import { codeBlocks, page } from './markdown.ts';

const FILE = '/etc/latchgate/latchgate.yaml';
const SECRET = 'a-secret-of-the-documentation,-long-enough';
// Only its form is looked at.
const PEM = `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n-----END PRIVATE KEY-----\n`;

/** What `latchgate check` says of a config text. Secret files (`secrets` by their name) and variables that it names are there. */
export function checked(text: string, secrets: Readonly<Record<string, string>> = {}): ExaminedConfig {
  const names = [...text.matchAll(/\$\{([A-Z][A-Z0-9_]*)/g)].map(([, name]) => name ?? '');
  return examineConfig(FILE, {
    env: Object.fromEntries(names.map((name) => [name, SECRET])),
    readFile: (path) => Buffer.from(path === FILE ? text : (secrets[basename(path)] ?? contentOf(path))),
  });
}

function contentOf(path: string): string {
  if (path.endsWith('tls.crt')) return pair().certificate;
  if (path.endsWith('tls.key')) return pair().key;
  return path.endsWith('.pem') ? PEM : SECRET;
}

let made: { readonly certificate: string; readonly key: string } | undefined;

/** The files of `tls` have to fit each other. */
function pair(): NonNullable<typeof made> {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', '-'];
  const named = ['-days', '30', '-subj', '/CN=docs', '-addext', 'subjectAltName=DNS:bi.example.com'];
  if (made === undefined) {
    const text = execFileSync('openssl', ['req', '-x509', ...curve, ...named], { encoding: 'utf8', stdio: 'pipe' });
    const at = text.indexOf('-----BEGIN CERTIFICATE');
    made = { key: text.slice(0, at), certificate: text.slice(at) };
  }
  return made;
}

/** A part of a config, made whole by the README's config for Superset. */
export function completed(part: string): string {
  const [whole = ''] = codeBlocks(page('README.md'), 'yaml');
  return stringify({ ...(parse(whole) as object), ...(parse(part) as object) });
}
