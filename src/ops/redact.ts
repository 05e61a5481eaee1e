import { ERRORS, LatchgateError } from '../model/errors.ts';

const HIDDEN = '[redacted]';
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_TEXT = 2_000;
const MAX_CAUSE_TEXT = 300;

/** Anywhere in a key, once it is lower-cased and bare of everything but letters and digits. */
const SECRET_KEY =
  /token|secret|passw|authorization|cookie|assertion|credential|privatekey|signingkey|apikey|claims|nonce|verifier|samlresponse|jwt|signature/;

/** Whole keys: protocol parameters, and what people are called. */
const HIDDEN_KEYS = new Set(
  (
    'state code sub subject email emails groups givenname familyname firstname lastname displayname preferredusername ' +
    'profile attributes userinfo identity sid sessionstate loginhint query search body rd'
  ).split(' '),
);

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/g, HIDDEN],
  [/\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}/g, HIDDEN],
  [/\b(Bearer|Basic|DPoP|Negotiate)\s+[\w.~+/=:-]+/gi, `$1 ${HIDDEN}`],
  [/\b((?:__Host-|__Secure-)?latchgate[\w.-]*=)[^;\s"']+/gi, `$1${HIDDEN}`],
  [/\b((?:set-)?cookie["']?\s*[:=]\s*)[^\r\n]+/gi, `$1${HIDDEN}`],
  [/(:\/\/)[^/\s@"']+@/g, `$1${HIDDEN}@`],
  [
    /\b([\w.-]*(?:token|secret|password|passwd|assertion|authorization|verifier|api[_-]?key|nonce|SAMLResponse)["']?\s*[=:]\s*["']?)(?!\[redacted\])[^\s"'&;,)}\]]+/gi,
    `$1${HIDDEN}`,
  ],
  [/([?&\s"'(](?:code|state|login_hint|session_state)=)[^\s"'&;,)}\]]+/gi, `$1${HIDDEN}`],
];

export interface Redactor {
  /** The value as it may be logged: always JSON, never deeper than 6 levels, without secrets. */
  value(value: unknown): unknown;
  text(text: string): string;
}

/** `secrets` are hidden wherever they stand, beside everything that looks like a secret by its key or its form. */
export function createRedactor(secrets: readonly string[] = []): Redactor {
  const known = [...new Set(secrets)].filter((secret) => secret.length >= 6).sort((a, b) => b.length - a.length);

  const text = (raw: string, longest = MAX_TEXT): string => {
    let clean = raw;
    for (const secret of known) clean = clean.replaceAll(secret, HIDDEN);
    for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement);
    return clean.length > longest ? `${clean.slice(0, longest)}…` : clean;
  };

  const error = (thrown: Error, depth: number): Record<string, unknown> => {
    const isOurs = thrown instanceof LatchgateError;
    const code = (thrown as NodeJS.ErrnoException).code;
    // Parsers quote what they could not read, and that may be a token.
    const message = thrown instanceof SyntaxError ? HIDDEN : text(thrown.message, isOurs ? MAX_TEXT : MAX_CAUSE_TEXT);
    return {
      class: thrown.name,
      ...(isCode(code) ? { code } : {}),
      message,
      ...(isOurs && Object.keys(thrown.detail).length > 0 ? { detail: walk(thrown.detail, depth + 1, new Set()) } : {}),
      ...(isOurs ? {} : { at: frames(thrown) }),
      ...(thrown.cause instanceof Error && depth < MAX_DEPTH ? { cause: error(thrown.cause, depth + 1) } : {}),
    };
  };

  const member = (key: string, value: unknown, depth: number, seen: Set<object>): unknown => {
    if (value === undefined || value === null || typeof value === 'boolean') return value;
    const bare = key.toLowerCase().replace(/[^a-z0-9]/g, '');
    if (bare === 'code' && isCode(value)) return value;
    if (HIDDEN_KEYS.has(bare) || SECRET_KEY.test(bare)) return HIDDEN;
    return walk(value, depth, seen);
  };

  const walk = (value: unknown, depth: number, seen: Set<object>): unknown => {
    if (typeof value === 'string') return text(value);
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'function' || typeof value === 'symbol') return undefined;
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Error) return error(value, depth);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (value instanceof URL) return text(`${value.protocol}//${value.host}${value.pathname}`);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (seen.has(value)) return '[again]';
    if (depth >= MAX_DEPTH) return '[deeper]';
    seen.add(value);
    try {
      if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => walk(item, depth + 1, seen));
      const entries =
        value instanceof Map ? [...value].map(([k, v]) => [String(k), v] as const) : Object.entries(value);
      return Object.fromEntries(
        entries.slice(0, MAX_ITEMS).map(([key, item]) => [text(key), member(key, item, depth + 1, seen)]),
      );
    } finally {
      seen.delete(value);
    }
  };

  return { value: (value) => walk(value, 0, new Set()), text };
}

/** Codes of ours, of Node, of a database, of the libraries; an authorization code has none of these forms. */
const LIBRARY_CODE = /^(?:E[A-Z]{3,15}|(?:ERR|UND_ERR|SQLITE|OAUTH|HPE)_[A-Z_]{1,60}|[0-9A-Z]{5})$/;

function isCode(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) < 10_000;
  return typeof value === 'string' && (value === 'ok' || Object.hasOwn(ERRORS, value) || LIBRARY_CODE.test(value));
}

function frames(thrown: Error): string[] {
  return (thrown.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 6)
    .map((line) => line.trim());
}
