import { dirname, resolve } from 'node:path';
import { checkCertificates } from './check-certificates.ts';
import { type Complaint, ConfigError, type Finding, type Path, showPath, sortComplaints } from './complaint.ts';
import { crossCheck } from './cross-check.ts';
import { declaredNames } from './declared.ts';
import { decodeText, readFileUpTo } from './files.ts';
import { startsWith } from './paths.ts';
import type { Config } from './schema.ts';
import { isMap } from './schema-walk.ts';
import { secretFiles } from './secret-files.ts';
import { type Lookups, type Substituted, substitute } from './substitute.ts';
import { readTree, type Tree } from './tree.ts';
import { ENTRY_SECTIONS, validate } from './validate.ts';

/** What a configuration is read from. */
export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a file up to one byte more than the limit. Default: the file system. */
  readonly readFile?: (path: string, limitBytes: number) => Uint8Array;
  /** How the command names the file. Default `--config`. */
  readonly option?: string;
}

export interface ExaminedConfig {
  /** Absent when there are complaints. */
  readonly config?: Config;
  readonly complaints: readonly Complaint[];
  /** What is allowed but hardly meant. Empty when there are complaints. */
  readonly warnings: readonly Complaint[];
}

const CONFIG_LIMIT_BYTES = 1_048_576;

/**
 * Reads a configuration file. Relative paths in it, `state.database` too, are relative to the file.
 * Throws ConfigError (`config_unreadable`, `config_invalid`) with every complaint at once.
 */
export function loadConfig(file: string, sources: ConfigSources): Config {
  const { config, complaints } = examineConfig(file, sources);
  if (config !== undefined) return config;
  const unreadable = complaints.some((complaint) => complaint.code === 'file_unreadable');
  throw new ConfigError(complaints, unreadable ? 'config_unreadable' : 'config_invalid');
}

/** The same without throwing, and with warnings. */
export function examineConfig(file: string, sources: ConfigSources): ExaminedConfig {
  const readFile = sources.readFile ?? readFileUpTo;
  const source = readSource(file, readFile, sources.option ?? '--config');
  if ('complaint' in source) return { complaints: [source.complaint], warnings: [] };
  const lookups: Lookups = {
    env: (name) => (Object.hasOwn(sources.env, name) ? sources.env[name] : undefined),
    secretFile: secretFiles(file, readFile),
  };
  const tree = readTree(source.text, { substitute: outsideGrants(lookups), keepsKeys: isInGrant });
  if (!isMap(tree.value)) return { complaints: notAMap(file, tree), warnings: [] };
  return examineValue(file, tree, tree.value, readFile);
}

type ReadFile = NonNullable<ConfigSources['readFile']>;

function examineValue(file: string, tree: Tree, value: Record<string, unknown>, readFile: ReadFile): ExaminedConfig {
  const isNew = ({ path, code }: Finding): boolean => {
    if (tree.unresolved.some((hole) => startsWith(path, hole))) return false;
    // Whether a map is right as a whole can't be said while a value in it is not there.
    return code !== 'invalid_value' || !tree.unresolved.some((hole) => startsWith(hole, path));
  };
  const { findings, sound, config } = validate(value, tree.sources);
  leaveOutHoles(sound, tree.unresolved);
  const between = crossCheck(sound, declaredNames(value, tree.sources));
  const place = (finding: Finding): Complaint => ({
    ...finding,
    ...tree.place(finding.path, finding.at ?? 'value'),
    file,
  });
  const complaints = sortComplaints([
    ...tree.findings.map((finding) => ({ ...finding, file })),
    ...[...findings, ...between.complaints].filter(isNew).map(place),
  ]);
  if (complaints.length > 0 || config === undefined) return { complaints, warnings: [] };
  const usable = withAbsolutePaths(config, file);
  const files = checkCertificates(usable, readFile);
  if (files.complaints.length > 0) return { complaints: sortComplaints(files.complaints.map(place)), warnings: [] };
  return { config: usable, complaints, warnings: sortComplaints([...between.warnings, ...files.warnings].map(place)) };
}

/** What lost a value is not held against the rest: it would look like what it is not. */
function leaveOutHoles(sound: Partial<Config>, unresolved: readonly Path[]): void {
  const sections = sound as Record<string, unknown>;
  for (const [section, entry] of unresolved) {
    const entries = sections[String(section)];
    if (ENTRY_SECTIONS.has(String(section)) && isMap(entries)) delete entries[String(entry)];
    else delete sections[String(section)];
  }
}

/** `${…}` in a grant is a capture of the rule, so that no variable of the environment can decide who gets what. */
function isInGrant(path: Path): boolean {
  return (path[0] === 'rules' && path[2] === 'grant') || (path[0] === 'default' && path[1] === 'grant');
}

function outsideGrants(lookups: Lookups): (text: string, path: Path) => Substituted | undefined {
  return (text, path) => (isInGrant(path) || !text.includes('${') ? undefined : substitute(text, lookups));
}

function readSource(
  file: string,
  readFile: (path: string, limitBytes: number) => Uint8Array,
  option: string,
): { readonly text: string } | { readonly complaint: Complaint } {
  const fail = (code: Complaint['code'], message: string, hint?: string): { complaint: Complaint } => ({
    complaint: { file, line: 0, column: 0, path: [], code, message, ...(hint === undefined ? {} : { hint }) },
  });
  let bytes: Uint8Array;
  try {
    bytes = readFile(file, CONFIG_LIMIT_BYTES);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return fail('file_unreadable', 'the file is not there', `name it with ${option} FILE`);
    if (code === 'EISDIR') return fail('file_unreadable', 'this is a directory', 'name the file in it');
    return fail(
      'file_unreadable',
      code === 'EACCES' ? 'the file may not be read by this user' : 'the file cannot be read',
    );
  }
  if (bytes.length > CONFIG_LIMIT_BYTES) return fail('file_too_large', 'the file is larger than 1 MiB');
  const text = decodeText(bytes);
  return text === undefined ? fail('file_not_text', 'the file is not UTF-8 text') : { text };
}

function notAMap(file: string, tree: Tree): readonly Complaint[] {
  if (tree.findings.length > 0) return sortComplaints(tree.findings.map((finding) => ({ ...finding, file })));
  const place = { file, ...tree.place([], 'value'), path: [] };
  if (tree.value === undefined) {
    return [
      { ...place, code: 'file_empty', message: 'the file has no keys', hint: 'config/reference.yaml names them all' },
    ];
  }
  const shape = Array.isArray(tree.value) ? 'a list' : 'a single value';
  return [
    {
      ...place,
      code: 'wrong_type',
      message: `${showPath([])} must be a map of keys and values, not ${shape}`,
      hint: 'it begins with version: 1',
    },
  ];
}

const SQLITE = 'sqlite:';

function withAbsolutePaths(config: Config, file: string): Config {
  const { tls } = config;
  const absolute = (path: string): string => resolve(dirname(file), path);
  const { database } = config.state;
  const isFile = database.startsWith(SQLITE) && database !== `${SQLITE}:memory:`;
  return {
    ...config,
    sources: mapValues(config.sources, (source) => withAbsolutePath(source, absolute)),
    ...(tls && { tls: { ...tls, certificate: tls.certificate.map(absolute), key: tls.key.map(absolute) } }),
    state: isFile ? { ...config.state, database: SQLITE + absolute(database.slice(SQLITE.length)) } : config.state,
    targets: mapValues(config.targets, (target) =>
      target.type === 'auth0' && target.invite !== undefined
        ? { ...target, invite: { ...target.invite, file: absolute(target.invite.file) } }
        : target,
    ),
  };
}

function withAbsolutePath(source: Config['sources'][string], absolute: (path: string) => string): typeof source {
  if (source.type === 'file') return { ...source, path: absolute(source.path) };
  if (source.type !== 'sql') return source;
  const { url, driver, database } = source;
  if (url?.startsWith(SQLITE)) return { ...source, url: SQLITE + absolute(url.slice(SQLITE.length)) };
  if (url !== undefined || driver !== 'sqlite' || database === undefined) return source;
  return { ...source, database: absolute(database) };
}

function mapValues<T>(entries: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, change(value)]));
}
