import { dirname, isAbsolute, resolve } from 'node:path';
import { decodeText } from './files.ts';
import type { Lookups, SubstitutionProblem } from './substitute.ts';

const SECRET_LIMIT_BYTES = 65_536;

type SecretFile = ReturnType<Lookups['secretFile']>;

/** Reads each secret file once; relative paths are relative to the config file. One newline at the end is dropped. */
export function secretFiles(
  configFile: string,
  readFile: (path: string, limitBytes: number) => Uint8Array,
): Lookups['secretFile'] {
  const known = new Map<string, SecretFile>();
  return (path) => {
    const full = isAbsolute(path) ? path : resolve(dirname(configFile), path);
    const before = known.get(full);
    if (before !== undefined) return before;
    const secret = readSecret(full, path, readFile);
    known.set(full, secret);
    return secret;
  };
}

function readSecret(
  full: string,
  path: string,
  readFile: (path: string, limitBytes: number) => Uint8Array,
): SecretFile {
  let bytes: Uint8Array;
  try {
    bytes = readFile(full, SECRET_LIMIT_BYTES);
  } catch (error) {
    return { problem: unreadable(path, full, error) };
  }
  if (bytes.length > SECRET_LIMIT_BYTES)
    return { problem: { code: 'secret_file_unreadable', message: `the secret file ${path} is longer than 64 KiB` } };
  const text = decodeText(bytes);
  if (text === undefined)
    return {
      problem: {
        code: 'secret_file_unreadable',
        message: `the secret file ${path} is not UTF-8 text`,
        hint: 'encode a binary key as text, such as base64',
      },
    };
  const secret = text.replace(/\r?\n$/, '');
  if (secret.trim() === '')
    return { problem: { code: 'secret_file_empty', message: `the secret file ${path} is empty` } };
  return { text: secret };
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  EISDIR: 'is a directory',
  ELOOP: 'is a loop of links',
};

function unreadable(path: string, full: string, error: unknown): SubstitutionProblem {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const where =
      full === path
        ? 'create it, or mount it there'
        : `looked for at ${full}: relative paths are relative to the config file`;
    return { code: 'secret_file_missing', message: `the secret file ${path} is not there`, hint: where };
  }
  return { code: 'secret_file_unreadable', message: `the secret file ${path} ${REASONS[code] ?? 'cannot be read'}` };
}
