import { isIP } from 'node:net';
import { z } from 'zod';
import { isDomain } from '../mapping/email.ts';

/*
 * Value types of the config language. Lists also take one comma-separated string, numbers and booleans also strings,
 * because values may come from the environment. Only the schema.ts of each room imports this file.
 *
 * Every message completes the sentence that begins with the key: "`session.idle` must be …". A `title` names the type
 * in the reference and in complaints about a value of another type.
 */

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_DURATION_MS = 3_650 * 86_400_000;

/** `0s`, `30s`, `5m`, `12h`, `30d` → milliseconds; at most ten years. */
export const waitMs = z
  .string('must be a number and a unit, such as 30s, 5m, 12h or 30d')
  .regex(/^\d{1,9}[smhd]$/, 'must be a number and a unit, such as 30s, 5m, 12h or 30d')
  .transform((value) => Number(value.slice(0, -1)) * (DURATION_UNITS_MS[value.slice(-1)] ?? 0))
  .refine((ms) => ms <= LONGEST_DURATION_MS, 'must be at most 3650d')
  .meta({ title: 'duration' });

/** The same, and more than nothing. */
export const durationMs = waitMs.refine((ms) => ms > 0, 'must be longer than nothing').meta({ title: 'duration' });

export const text = z.string().min(1, 'must not be empty').meta({ title: 'text' });

function splitAtCommas(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** A list of texts, or one comma-separated string (blanks around the commas are dropped, empty parts too). */
export const textList = z
  .union([z.array(text), z.string().transform(splitAtCommas)], 'must be a list of texts, or one comma-separated text')
  .meta({ title: 'list of texts' });

/** Domains of e-mail addresses: `example.com`, `münchen.example`. */
export const emailDomains = textList.refine(
  (list) => list.every(isDomain),
  'must be domains such as example.com, without @, * and blanks',
);

/** The same with at least one part: `staff_id`, `[oid, sub]` or `oid, sub`. */
export const oneOrMore = z
  .union(
    [
      z.array(text).min(1, 'must not be an empty list'),
      z
        .string()
        .transform(splitAtCommas)
        .refine((list) => list.length > 0, 'must not be empty'),
    ],
    'must be a text or a list of texts',
  )
  .meta({ title: 'text or list of texts' });

/** undefined: it begins like a list of JSON and is none. */
function jsonTexts(list: string): string[] | undefined {
  try {
    const parsed: unknown = JSON.parse(list);
    const isList = Array.isArray(parsed) && parsed.every((part) => typeof part === 'string');
    return isList ? parsed.map((part) => part.trim()).filter((part) => part !== '') : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A list of accounts, or one text as people write such lists in an environment: with commas, semicolons or blanks
 * between, or as JSON. `cut` is for the blanks.
 */
function accountList(cut: (part: string) => readonly string[]) {
  const written = z.string().transform((list, context): readonly string[] => {
    const parts = list.trim().startsWith('[') ? jsonTexts(list) : list.split(/[,;\r\n]/).flatMap(cut);
    if (parts === undefined) context.addIssue('must be a list: as JSON, or with commas, semicolons or blanks between');
    return (parts ?? []).map((part) => part.trim()).filter((part) => part !== '');
  });
  return z.union([z.array(text.transform((part) => part.trim())), written], 'must be a list of texts, or one text');
}

const ADDRESS_OR_ID = /^[^\s\p{C}"<>()[\]{},;@]*(?:@[^\s\p{C}"<>()[\]{},;@]+)?$/u;

/** Whether it is one e-mail or one id with its provider in front, and nothing is around it. */
function isAddressOrId(text: string): boolean {
  return ADDRESS_OR_ID.test(text) && /[^@|][@|][^@|]/.test(text) && !/^'|'$/.test(text);
}

/** E-mails and ids such as `auth0|5f7c8ec7`. Whatever else stands there would protect nobody, and is refused. */
export const addressesOrIds = accountList((part) => part.split(/\s/))
  .transform((list, context) => {
    const at = list.findIndex((part) => !isAddressOrId(part));
    if (at !== -1) {
      context.addIssue(
        `must be e-mails, or ids with their provider in front such as auth0|5f7c8ec7, and nothing else: no. ${at + 1} is neither`,
      );
    }
    return list;
  })
  .meta({ title: 'list of texts' });

/** A user name may hold blanks, so that a text of several words counts as one name and as each of the words. */
function namesIn(text: string): readonly string[] {
  const part = text.trim();
  const words = part.split(/\s+/);
  if (part.startsWith('~') || words.length === 1) return [part];
  return [...(part.includes('@') ? [] : [part]), ...words.filter((word) => word !== '*')];
}

/** User names, e-mails, ids and patterns: what fits too much protects too much. */
export const accountPatterns = accountList(namesIn)
  .refine(
    (list) => list.every((line) => line.startsWith('~') || !/[<>"]|@.*@/.test(line)),
    'must be user names, e-mails or patterns, with nothing around them: no `<`, `>`, `"`, and no two addresses in one',
  )
  .meta({ title: 'list of texts' });

/** A list of these words, or the words in one comma-separated string. */
export function optionList<const Options extends readonly [string, ...string[]]>(options: Options) {
  const one = z.enum(options);
  return z
    .union(
      [z.array(one), z.string().transform(splitAtCommas).pipe(z.array(one))],
      `must be a list of ${options.join(', ')}`,
    )
    .meta({ title: `list of ${options.map((option) => `\`${option}\``).join(', ')}` });
}

export const flag = z
  .union(
    [z.boolean(), z.enum(['true', 'false'], 'must be true or false').transform((word) => word === 'true')],
    'must be true or false',
  )
  .meta({ title: '`true` or `false`' });

export const count = z
  .union(
    [
      z.number().int('must be a whole number').nonnegative('must not be negative'),
      z
        .string()
        .regex(/^\d{1,12}$/, 'must be a whole number')
        .transform(Number),
    ],
    'must be a whole number',
  )
  .meta({ title: 'whole number' });

/** A number that need not be whole: `0.5`, `"2"`. */
export const decimal = z
  .union(
    [
      z.number().nonnegative('must not be negative'),
      z
        .string()
        .regex(/^\d{1,9}(\.\d{1,9})?$/, 'must be a number, such as 0.5')
        .transform(Number),
    ],
    'must be a number',
  )
  .meta({ title: 'number' });

/** Host and port to listen on: `0.0.0.0:4180`, `[::1]:4181`, `:4180`; port 0 takes a free one. */
export const listenAddress = z
  .string('must be host:port, such as 0.0.0.0:4180')
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s/]*):\d{1,5}$/, 'must be host:port, such as 0.0.0.0:4180')
  .transform((address) => {
    const at = address.lastIndexOf(':');
    return { host: address.slice(0, at).replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(address.slice(at + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'must have a port of at most 65535')
  .meta({ title: 'host:port' });

/** An absolute http(s) URL without user info, query or fragment; a trailing slash is dropped. */
export const httpUrl = z
  .string()
  .transform((value, context) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || !/^https?:\/\//i.test(value)) context.addIssue('must be an http:// or https:// address');
    else if (url.username !== '' || url.password !== '') context.addIssue('must not hold a user name or password');
    else if (url.search !== '' || url.hash !== '') context.addIssue('must have no query and no fragment');
    return value.replace(/\/+$/, '');
  })
  .meta({ title: 'http(s) address' });

/** An http(s) origin: scheme, host and port alone. */
export const httpOrigin = httpUrl
  .refine(
    (value) => !URL.canParse(value) || new URL(value).pathname === '/',
    'must have no path: scheme, host and port alone',
  )
  .meta({ title: 'http(s) address' });

/** A name that a person gives to a login, rule, target, …: letters, digits, `.`, `_`, `-`. */
export const entryName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be 1 to 64 letters, digits, dots, _ or -, beginning with a letter or digit',
  )
  .meta({ title: 'name' });

/** In lower case and as browsers send it (IDNA); undefined for what is no host. */
function canonicalHost(value: string): string | undefined {
  const [, name = '', port = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]/?#@\\\s%]+)(:\d{1,5})?$/i.exec(value) ?? [];
  const address = `https://${name}`;
  if (name === '' || name.endsWith('.') || !URL.canParse(address) || Number(port.slice(1)) > 65_535) return undefined;
  const { hostname } = new URL(address);
  return /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/.test(hostname) ? `${hostname}${port}` : undefined;
}

/** The name of a host, with a port when it has one of its own: `reports.example.com`, `reports.example.com:8443`. */
export const hostName = z
  .string()
  .transform((value, context) => {
    const host = canonicalHost(value);
    if (host === undefined)
      context.addIssue('must be a host name such as reports.example.com, without scheme and path');
    return host ?? value;
  })
  .meta({ title: 'host name' });

/** A domain in lower case and as browsers send it, without a dot in front. */
export const domainName = z
  .string()
  .transform((value) => canonicalHost(value.replace(/^\./, '')) ?? value)
  .meta({ title: 'domain' });

function isNetwork(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  if (!/^\d{1,3}$/.test(prefix)) return false;
  return Number(prefix) <= (version === 4 ? 32 : 128);
}

/** IP addresses and networks in CIDR form: `10.0.0.0/8`, `::1`. */
export const networkList = textList
  .refine((list) => list.every(isNetwork), 'must be IP addresses or networks, such as 10.0.0.0/8 or ::1')
  .meta({ title: 'list of addresses or networks' });
