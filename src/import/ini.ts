import type { Literal, Option } from './literals.ts';

/** `$__env{X}`, `${X}` and `$__file{/path}` as Grafana has them, for a whole value. */
const FROM_ENVIRONMENT = /^\$(?:__env)?\{([A-Za-z_]\w*)\}$/;
const FROM_FILE = /^\$__file\{([^{}]+)\}$/;

/**
 * Reads an INI file as Grafana does: `key = value` in `[section]`, `;` and `#` begin comments, a value may be in `"""` over
 * several lines or in quotation marks. Variables `GF_SECTION_KEY=value`, one a line, are read too. Names of options are
 * `section.key`. Never throws.
 */
export function readIni(text: string): readonly Option[] {
  const lines = text.split(/\r?\n/);
  const options: Option[] = [];
  let section = '';
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index]?.trim() ?? '';
    const heading = /^\[([^\]]*)\]/.exec(line)?.[1];
    if (heading !== undefined) section = heading.trim();
    const match = /^([^;#[=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line);
    if (heading !== undefined || match === null) continue;
    const [, key = '', first = ''] = match;
    const at = index + 1;
    let value = first;
    if (value.startsWith('"""')) {
      while (!value.slice(3).includes('"""') && index + 1 < lines.length) {
        index += 1;
        value += `
${lines[index] ?? ''}`;
      }
      value = value
        .slice(3)
        .replace(/"""[\s\S]*$/, '')
        .trim();
    } else value = unquoted(value);
    options.push({
      name: section === '' ? nameOfVariable(key) : `${section}.${key}`,
      line: at,
      value: literalIn(value, at),
    });
  }
  return options;
}

/** Quotation marks are taken off where they surround the whole value and are nowhere in it. */
function unquoted(value: string): string {
  const quoted = /^"([^"]*)"\s*(?:[;#].*)?$|^'([^']*)'\s*(?:[;#].*)?$|^`([^`]*)`\s*(?:[;#].*)?$/.exec(value);
  return quoted?.[1] ?? quoted?.[2] ?? quoted?.[3] ?? value.replace(/\s[;#].*$/, '').trim();
}

function literalIn(value: string, line: number): Literal {
  const name = FROM_ENVIRONMENT.exec(value)?.[1];
  if (name !== undefined) return { kind: 'env', name, line };
  const path = FROM_FILE.exec(value)?.[1];
  return path === undefined ? { kind: 'scalar', value, line } : { kind: 'file', path: path.trim(), line };
}

const SECTIONS = [
  'auth.generic_oauth',
  'auth.azuread',
  'auth.okta',
  'auth.google',
  'auth.gitlab',
  'auth.github',
  'auth.saml',
  'auth.ldap',
  'auth.proxy',
  'auth.basic',
  'auth.anonymous',
  'auth',
  'server',
  'users',
  'security',
  'database',
];

export function isVariable(name: string): boolean {
  return /^GF_[A-Z0-9_]+$/.test(name);
}

/** A variable, or a key of a section, with a value of YAML: its texts are as those of the file. */
export function readVariable(name: string, value: Literal, line: number): Option {
  const isText = value.kind === 'scalar' && typeof value.value === 'string';
  return { name: nameOfVariable(name), line, value: isText ? literalIn(String(value.value).trim(), line) : value };
}

/** `GF_AUTH_GENERIC_OAUTH_CLIENT_ID`. */
function nameOfVariable(key: string): string {
  const bare = key
    .replace(/^(?:-\s+|export\s+)/, '')
    .replaceAll(/["']/g, '')
    .trim();
  if (!bare.startsWith('GF_')) return bare;
  const rest = bare.slice('GF_'.length).toLowerCase();
  const section = SECTIONS.find((one) => rest.startsWith(`${one.replaceAll('.', '_')}_`));
  return section === undefined ? bare : `${section}.${rest.slice(section.length + 1)}`;
}
