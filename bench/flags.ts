import { parseArgs } from 'node:util';

/** What can be measured, in the order in which it is. */
export const PARTS = [
  '1k',
  '64k',
  'redirect',
  'logins',
  'start',
  'memory',
  'sockets',
  'stalls',
  'sync',
  'scim',
] as const;

export type Part = (typeof PARTS)[number];

export interface Flags {
  /** How often each setup has its turn. */
  readonly rounds: number;
  /** Of one turn. */
  readonly seconds: number;
  /** Of the mixed load, in which stalls are looked for. */
  readonly stallSeconds: number;
  /** People who are logged in while requests are proxied, each with a session of their own. */
  readonly sessions: number;
  /** Sessions that are live at the same time, for their memory. */
  readonly live: number;
  /** Idle WebSockets that are open at the same time. */
  readonly sockets: number;
  /** People of the largest sync, and users of SCIM. */
  readonly people: number;
  readonly only: readonly Part[];
  /** Folder for CPU profiles of the gateway. */
  readonly profile?: string;
}

export const USAGE = `Usage: npm run bench -- [options]
  --rounds N      turns of each setup (default 3)
  --seconds N     length of one turn (default 4; 60 for stalls)
  --sessions N    sessions that take turns in the requests (default 8)
  --live N        sessions for memory (default 20000)
  --sockets N     idle WebSockets (default 10000)
  --people N      people of the largest sync, users of scim (default 100000)
  --only LIST     of ${PARTS.join(', ')} (default: all)
  --profile DIR   writes CPU profiles of the gateway there; its numbers are then higher`;

/** @throws RangeError or TypeError for what is not in the usage. */
export function parseFlags(args: readonly string[]): Flags | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string' },
      sessions: { type: 'string', default: '8' },
      live: { type: 'string', default: '20000' },
      sockets: { type: 'string', default: '10000' },
      people: { type: 'string', default: '100000' },
      only: { type: 'string', default: PARTS.join(',') },
      profile: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return 'help';
  const only = values.only.split(',').map((part) => part.trim());
  const unknown = only.find((part) => !isPart(part));
  if (unknown !== undefined) throw new RangeError(`--only: "${unknown}" is none of ${PARTS.join(', ')}`);
  return {
    rounds: count('--rounds', values.rounds, 100),
    seconds: count('--seconds', values.seconds ?? '4', 600),
    stallSeconds: count('--seconds', values.seconds ?? '60', 600),
    sessions: count('--sessions', values.sessions, 400),
    live: count('--live', values.live, 1_000_000),
    sockets: count('--sockets', values.sockets, 100_000),
    people: count('--people', values.people, 1_000_000),
    only: only.filter(isPart),
    ...(values.profile === undefined ? {} : { profile: values.profile }),
  };
}

function isPart(text: string): text is Part {
  return PARTS.some((part) => part === text);
}

function count(flag: string, text: string, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new RangeError(`${flag} must be a whole number from 1 to ${most}`);
}
