/** The most that Latchgate is to need. Nothing asserts it: a busy machine, or another one, may say otherwise. */
export const BARS = {
  /** As a multiple of the plain proxy, and of mod_auth_openidc; a row that is not here has no bar. */
  ratios: {
    '1 KiB: CPU per request': { plain: 4, apache: 1 / 3 },
    '1 KiB: p99': { apache: 1 / 2 },
    '64 KiB: CPU per request': { apache: 1 / 2 },
    '64 KiB: p99': { apache: 1 / 2 },
    'login redirect: CPU': { apache: 1 / 2.5 },
  } as Readonly<Record<string, { readonly plain?: number; readonly apache?: number }>>,
  /** Of one process with 20,000 live sessions. */
  processBytes: 110_000_000,
  /** The longest stall of the event loop in a minute of mixed load. */
  stallMs: 50,
  /** Of planning so many people, in a process that also holds source and target. */
  plan: { people: 100_000, cpuSeconds: 5, megabytes: 400 },
  /** What a person may take among ten times as many, as a multiple: more would not be linear. */
  planGrowth: 1.25,
  /** As a multiple of the fewest calls that could do. */
  applyCalls: 1.1,
  readCalls: 1.05,
  /** Of SCIM with 100,000 users. A lookup or one membership, and 10,000 memberships in one request, in CPU; the text of a request. */
  scim: { lookupMs: 5, patchMs: 1_000, createRatio: 1.5, bytes: 250_000_000, hostileMs: 50 },
} as const;

/** `at most 0.33: met` */
export function verdict(value: number, most: number, show: (value: number) => string): string {
  return `at most ${show(most)}: ${value <= most ? 'met' : 'not met'}`;
}
