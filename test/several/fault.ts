import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type Browser, refusalOn } from '../journey/browser.ts';
import { type LoadReport, startLoad, type Visitor } from './load.ts';
import { command, type Site, visitorOf } from './site.ts';
import { CALLER } from './witness.ts';

const BEFORE_MS = 1_500;
/** So long everything must be well again until it counts as recovered. */
const WELL_MS = 2_000;
const RECOVERY_LIMIT_MS = 30_000;
/** From the beginning of the fault until somebody wants to log out. */
const MEANWHILE_MS = 1_000;
const AGAIN_MS = 300;
/** What ended is known everywhere then. */
const SEEN_WITHIN_MS = 1_000;
const LOGIN_LIMIT_MS = 30_000;
const DONE = 'done';

export interface FaultReport extends Omit<LoadReport, 'lastTroubleAt'> {
  /** From the end of the fault to the last trouble. */
  readonly recoveredAfterMs: number;
  /** How logins ended that were begun meanwhile: `200`, or status and code. */
  readonly loginsMeanwhile: Readonly<Record<string, number>>;
  /** What somebody who logs out, and an operator who ends a session, were told until it was done. */
  readonly toldMeanwhile: Readonly<Record<'logout' | 'command', readonly string[]>>;
  /** So far, those of former faults included: sessions that nobody but a check has ended, by code. */
  readonly endedByChecks: Readonly<Record<string, number>>;
}

export interface Fault {
  readonly name: string;
  readonly site: Site;
  readonly people: readonly string[];
  readonly happen: () => Promise<void>;
  /** Codes with which requests may be refused meanwhile. */
  readonly mayRefuse?: RegExp;
  /** What may be lost meanwhile. */
  readonly mayLose?: RegExp;
  readonly mayRefuseLogins?: RegExp;
}

/**
 * People work, a logged-out session and strangers knock, others log in: then something happens, and passes. Meanwhile
 * somebody logs out, and an operator ends somebody's session. Prints what was served, refused and lost. Throws unless
 * nothing wrong was let in, nothing was lost that may not be, every other session is still there, and logins work again.
 */
export async function passThrough(fault: Fault): Promise<FaultReport> {
  const { site, people, happen } = fault;
  const [leaver, quitter, dismissed, ...workers] = people as [string, string, string, ...string[]];
  const visitors: Visitor[] = [];
  for (const sub of workers) visitors.push(await site.logIn(sub));
  const leaving = { quitter: await site.logIn(quitter), dismissed: await site.logIn(dismissed) };
  const gone = [await loggedOut(site, leaver)];
  const load = startLoad({ url: site.url, visitors, clients: 16, loggedOut: gone });
  await sleep(BEFORE_MS);
  const logins = startLogins(site, workers);
  const ends = endMeanwhile(site, leaving, gone);
  await happen();
  const endedAt = performance.now();
  const toldMeanwhile = await ends;
  await untilWell(() => load.report(), endedAt);
  const loginsMeanwhile = await logins.stop();
  const { lastTroubleAt, ...report } = await load.stop();
  const recoveredAfterMs = lastTroubleAt === 0 ? 0 : Math.max(0, Math.round(lastTroubleAt - endedAt));
  const result = { ...report, recoveredAfterMs, loginsMeanwhile, toldMeanwhile, endedByChecks: endedByChecks(site) };
  console.info(`${fault.name}: ${JSON.stringify(result)}`);
  expect({ wrong: result.wrong, arrived: site.witness.wrong }).toEqual({ wrong: [], arrived: [] });
  expect(result.askedToLogIn).toBe(0);
  expect(unexpected(result.refused, fault.mayRefuse)).toEqual([]);
  expect(unexpected(result.lost, fault.mayLose)).toEqual([]);
  expect(unexpected(result.loginsMeanwhile, fault.mayRefuseLogins, '200')).toEqual([]);
  expect(result.served).toBeGreaterThan(100);
  for (const { cookie } of gone) expect(await statusesOf(site, cookie)).toEqual(site.addresses.map(() => 401));
  for (const sub of people) await site.logIn(sub);
  return result;
}

function unexpected(counts: Readonly<Record<string, number>>, allowed: RegExp | undefined, ...more: string[]) {
  return Object.keys(counts).filter((what) => !more.includes(what) && allowed?.test(what) !== true);
}

/** A session that was ended by its person, at the provider too, whose cookie is still sent. */
async function loggedOut(site: Site, sub: string): Promise<Visitor> {
  const browser = site.browser();
  const visitor = await visitorOf(browser, site.url, sub);
  await browser.submit(await browser.visit(`${site.url}/.latchgate/logout`));
  // A second, until every instance knows.
  await sleep(1_000);
  return visitor;
}

/** While it happens: one logs out, the other's session is ended by a command, each tried until it is done. */
async function endMeanwhile(
  site: Site,
  { quitter, dismissed }: Readonly<Record<'quitter' | 'dismissed', Visitor>>,
  gone: Visitor[],
): Promise<FaultReport['toldMeanwhile']> {
  for (const { cookie } of [quitter, dismissed]) expect(await statusesOf(site, cookie)).not.toContain(401);
  await sleep(MEANWHILE_MS);
  const tried = async (visitor: Visitor, end: () => Promise<string>): Promise<string[]> => {
    const told = [await end()];
    for (; told.at(-1) !== DONE; told.push(await end())) await sleep(AGAIN_MS);
    await sleep(SEEN_WITHIN_MS);
    gone.push(visitor);
    return told;
  };
  const [logout, ended] = await Promise.all([
    tried(quitter, () => logOut(site, quitter)),
    tried(dismissed, () =>
      command(site, 'sessions', 'end', '--user', dismissed.user).then(
        () => DONE,
        (error: Error) => /^(\w+): /m.exec(error.message.split('\n').slice(1).join('\n'))?.[1] ?? error.message,
      ),
    ),
  ]);
  return { logout, command: ended };
}

/** Sessions that a check with the provider ended, by code, as the logs of the instances that run now have it. */
function endedByChecks({ gateways }: Site): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of gateways.flatMap(({ log }) => log)) {
    if (!line.includes('"a session ended with its login"')) continue;
    const { code } = JSON.parse(line) as { code: string };
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}

/** What this person is told. */
async function logOut({ url }: Site, { cookie }: Visitor): Promise<string> {
  const headers = { cookie, origin: url, accept: 'application/json' };
  const answer = await request(`${url}/.latchgate/logout`, { method: 'POST', headers });
  const code = /"error":"([a-z_]+)"/.exec(await answer.body.text())?.[1];
  return answer.statusCode === 200 ? DONE : `${answer.statusCode} ${code ?? 'not of the gateway'}`;
}

/** At each instance itself; 0: it does not answer. */
function statusesOf({ url, addresses }: Site, cookie: string): Promise<number[]> {
  const headers = { host: new URL(url).host, cookie, accept: 'application/json', [CALLER]: 'somebody' };
  return Promise.all(
    addresses.map(async (address) => {
      const answer = await request(`${address}/work`, { headers }).catch(() => undefined);
      await answer?.body.dump();
      return answer?.statusCode ?? 0;
    }),
  );
}

async function untilWell(look: () => LoadReport, since: number): Promise<void> {
  for (;;) {
    await sleep(100);
    const now = performance.now();
    const { lastTroubleAt } = look();
    if (now - Math.max(lastTroubleAt, since) > WELL_MS) return;
    if (now - since > RECOVERY_LIMIT_MS) throw new Error(`still not well: ${JSON.stringify(look())}`);
  }
}

/** Somebody logs in again and again, each time in a new browser. */
function startLogins(site: Site, people: readonly string[]): { stop(): Promise<Record<string, number>> } {
  const outcomes: Record<string, number> = {};
  let isOver = false;
  const work = async (): Promise<void> => {
    for (let at = 0; !isOver; at += 1) {
      const outcome = await logInOnce(site.browser(), site, people[at % people.length] as string);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      await sleep(200);
    }
  };
  const working = work();
  return {
    stop: async () => {
      isOver = true;
      await working;
      return outcomes;
    },
  };
}

async function logInOnce(browser: Browser, site: Site, sub: string): Promise<string> {
  try {
    const end = await Promise.race([browser.logIn(`${site.url}/start`, sub), sleep(LOGIN_LIMIT_MS)]);
    if (end === undefined) return 'no answer';
    return end.status === 200 ? '200' : `${end.status} ${refusalOn(end).code || end.url.origin}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
