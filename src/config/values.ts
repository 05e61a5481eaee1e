import { z } from 'zod';

/*
 * Value types of the config language. Lists also take one comma-separated string, numbers and booleans also strings,
 * because values may come from the environment. Only the schema.ts of each room imports this file.
 */

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `5m`, `12h`, `30d` → milliseconds. */
export const durationMs = z
  .string()
  .regex(/^\d{1,9}[smhd]$/, 'a duration is a number and a unit: 30s, 5m, 12h, 30d')
  .transform((text) => Number(text.slice(0, -1)) * (DURATION_UNITS_MS[text.slice(-1)] ?? 0));

export const text = z.string().min(1, 'must not be empty');

/** A list of texts, or one comma-separated string (blanks around the commas are dropped, empty parts too). */
export const textList = z.union([
  z.array(z.string()),
  z.string().transform((list) =>
    list
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  ),
]);

export const flag = z.union([
  z.boolean(),
  z.enum(['true', 'false'], 'must be true or false').transform((word) => word === 'true'),
]);

export const count = z.union([
  z.number().int().nonnegative(),
  z
    .string()
    .regex(/^\d{1,12}$/, 'must be a whole number')
    .transform(Number),
]);

/** Host and port to listen on: `0.0.0.0:4180`, `[::1]:4181`, `:4180`; port 0 takes a free one. */
export const listenAddress = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]*):\d{1,5}$/, 'must be host:port')
  .transform((address) => {
    const at = address.lastIndexOf(':');
    return { host: address.slice(0, at).replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(address.slice(at + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'the port must be at most 65535');

/** An absolute http(s) URL without user info, query or fragment; a trailing slash is dropped. */
export const httpUrl = z.string().transform((value, context) => {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) context.addIssue('must be an http:// or https:// address');
  else if (url.username !== '' || url.password !== '') context.addIssue('must not hold a user name or password');
  else if (url.search !== '' || url.hash !== '') context.addIssue('must have no query and no fragment');
  return value.replace(/\/+$/, '');
});

/** A name that a person gives to a login, rule, target, …: letters, digits, `.`, `_`, `-`. */
export const entryName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 of letters, digits, . _ -');

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
