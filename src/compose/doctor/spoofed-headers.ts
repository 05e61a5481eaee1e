import { foldHeaderName } from '../../proxy/identity-headers.ts';

/** A header that says who somebody is, as it goes over the wire. */
export interface Spoofed {
  readonly name: string;
  /** Whole lines. */
  readonly lines: readonly string[];
}

/** Names by which some backend, or what stands before it, takes a user from a header; the same in other spellings. */
const NAMES = [
  'X-Forwarded-User',
  'x-forwarded-user',
  'X_Forwarded_User',
  'X-Forwarded_User',
  'X.Forwarded.User',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Email',
  'Remote-User',
  'REMOTE_USER',
  'X-Remote-User',
  'X_REMOTE_USER',
  'X-Auth-Request-User',
  'X-WEBAUTH-USER',
  'X-Authenticated-User',
] as const;

/** Who somebody is, said by nobody: RFC 7515 §6 without a signature. */
function unsigned(userName: string, audience: string, now: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(now / 1_000);
  const claims = { sub: userName, aud: audience, iat: seconds, exp: seconds + 60 };
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}

/** Every lie that is tried. `signInHeader`: the one that this backend is known to listen to. */
export function spoofedHeaders(
  userName: string,
  audience: string,
  now: number,
  signInHeader?: string,
): readonly Spoofed[] {
  const own =
    signInHeader === undefined
      ? []
      : [signInHeader, signInHeader.toUpperCase().replaceAll('-', '_'), signInHeader.replaceAll('-', '.')];
  const names = [...new Set([...NAMES, ...own])];
  const token = unsigned(userName, audience, now);
  return [
    ...names.map((name) => ({ name, lines: [`${name}: ${userName}`] })),
    { name: 'X-Forwarded-User, twice', lines: ['X-Forwarded-User: nobody', `X-Forwarded-User: ${userName}`] },
    { name: 'X-Latchgate-Assertion, unsigned', lines: [`X-Latchgate-Assertion: ${token}`] },
    { name: 'X_Latchgate_Assertion, unsigned', lines: [`X_Latchgate_Assertion: ${token}`] },
    { name: 'Authorization, an unsigned token', lines: [`Authorization: Bearer ${token}`] },
  ];
}

/** Whether a backend that folds names as CGI does cannot tell the two apart. */
export function isSameName(name: string, other: string): boolean {
  return foldHeaderName(name) === foldHeaderName(other);
}
