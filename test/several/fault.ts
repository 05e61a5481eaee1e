import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, isChoice, refusalOn } from '../journey/browser.ts';
import { type LoadReport, startLoad, type Visitor } from './load.ts';
import { type Site, visitorOf } from './site.ts';

const BEFORE_MS = 1_500;
/** So long everything must be well again until it counts as recovered. */
const WELL_MS = 2_000;
const RECOVERY_LIMIT_MS = 30_000;

export interface FaultReport extends Omit<LoadReport, 'lastTroubleAt'> {
  /** From the end of the fault to the last trouble. */
  readonly recoveredAfterMs: number;
  /** How logins ended that were begun meanwhile: `200`, or status and code. */
  readonly loginsMeanwhile: Readonly<Record<string, number>>;
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
 * People work, a logged-out session and strangers knock, others log in: then something happens, and passes. Prints what
 * was served, refused and lost. Throws unless nothing wrong was let in, nothing was lost that may not be, every session
 * is still there, and logins work again.
 */
export async function passThrough(fault: Fault): Promise<FaultReport> {
  const { site, people, happen } = fault;
  const [leaver, ...workers] = people as [string, ...string[]];
  const visitors = await Promise.all(workers.map((sub) => site.logIn(sub)));
  const gone = await loggedOut(site, leaver);
  const load = startLoad({ url: site.url, visitors, clients: 16, loggedOut: [gone] });
  await sleep(BEFORE_MS);
  const logins = startLogins(site, workers);
  await happen();
  const endedAt = performance.now();
  await untilWell(() => load.report(), endedAt);
  const loginsMeanwhile = await logins.stop();
  const { lastTroubleAt, ...report } = await load.stop();
  const recoveredAfterMs = lastTroubleAt === 0 ? 0 : Math.max(0, Math.round(lastTroubleAt - endedAt));
  const result = { ...report, recoveredAfterMs, loginsMeanwhile };
  console.info(`${fault.name}: ${JSON.stringify(result)}`);
  expect({ wrong: result.wrong, arrived: site.witness.wrong }).toEqual({ wrong: [], arrived: [] });
  expect(result.askedToLogIn).toBe(0);
  expect(unexpected(result.refused, fault.mayRefuse)).toEqual([]);
  expect(unexpected(result.lost, fault.mayLose)).toEqual([]);
  expect(unexpected(result.loginsMeanwhile, fault.mayRefuseLogins, '200')).toEqual([]);
  expect(result.served).toBeGreaterThan(100);
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
    const page = await browser.visit(`${site.url}/start`);
    const end = isChoice(page) ? await browser.choose(page, sub) : page;
    return end.status === 200 ? '200' : `${end.status} ${refusalOn(end).code || end.url.origin}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
