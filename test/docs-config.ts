import { parse, stringify } from 'yaml';
import { type ExaminedConfig, examineConfig } from '../src/config/load.ts';
import { codeBlocks, page } from './markdown.ts';

const FILE = '/etc/latchgate/latchgate.yaml';
const SECRET = 'a secret of the documentation, long enough';
// Only its form is looked at.
const PEM = `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n-----END PRIVATE KEY-----\n`;

/** What `latchgate check` says of a config text. Secret files and variables that it names are there. */
export function checked(text: string): ExaminedConfig {
  const names = [...text.matchAll(/\$\{([A-Z][A-Z0-9_]*)/g)].map(([, name]) => name ?? '');
  return examineConfig(FILE, {
    env: Object.fromEntries(names.map((name) => [name, SECRET])),
    readFile: (path) => Buffer.from(path === FILE ? text : path.endsWith('.pem') ? PEM : SECRET),
  });
}

/** A part of a config, made whole by the README's config for Superset. */
export function completed(part: string): string {
  const [whole = ''] = codeBlocks(page('README.md'), 'yaml');
  return stringify({ ...(parse(whole) as object), ...(parse(part) as object) });
}
