import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostileInputs, KB_64 } from '../test/scim/protocol/hostile-inputs.ts';
import { BARS, verdict } from './bars.ts';
import { median, number, ratioOf, show } from './ratios.ts';
import { ScimProcess } from './scim-process.ts';
import { layOut, type ScimSite, untilTold, userAt } from './scim-site.ts';

/** Requests of one kind, of which the mean is told. */
const MOST_TIMES = 300;

interface Site extends ScimSite {
  readonly ids: readonly string[];
  readonly ours: ScimProcess;
  readonly times: number;
}

/**
 * What SCIM takes with so many users of one client, a tenth of them in one group, on the embedded store. CPU is of the
 * gateway's process, in which the target's part is left out.
 */
export async function scimLines(users: number, rounds: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-bench-'));
  try {
    const laidOut = await layOut(folder, users);
    const ours = await ScimProcess.start('ours', laidOut.config);
    const site = { ...laidOut, ours, times: Math.min(MOST_TIMES, Math.ceil(users / 100)) };
    try {
      const lines = [...(await lookups(site)), ...(await memberships(site)), ...(await creates(site, rounds))];
      ours.look();
      const memory = verdict(ours.peakBytes, BARS.scim.bytes, megabytes);
      return [...lines, `SCIM memory at its highest (PSS): ${megabytes(ours.peakBytes)}; ${memory}`, hostileLine()];
    } finally {
      await ours.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function lookups({ ours, ids, times }: Site): Promise<string[]> {
  const { lookupMs } = BARS.scim;
  const step = Math.floor(ids.length / times);
  const byName = await each(ours, times, (at) => {
    const filter = `userName eq "${String(userAt(at * step)['userName'])}"`;
    return ours.call('GET', `/Users?filter=${encodeURIComponent(filter)}`);
  });
  const page = await each(ours, times, (at) => ours.call('GET', `/Users?startIndex=${at * step + 1}&count=100`));
  const scan = await ours.cpuOf(async () => {
    await ours.call('GET', `/Users?filter=${encodeURIComponent('title co "nobody has it"')}`);
  });
  return [
    `SCIM userName eq among ${ids.length} users: CPU ${ms(byName)}; ${verdict(byName, lookupMs, ms)}`,
    `SCIM page of 100 of ${ids.length} users: CPU ${ms(page)}; ${verdict(page, lookupMs, ms)}`,
    `SCIM filter that no index knows, over ${ids.length} users: CPU ${ms(scan)}`,
  ];
}

async function memberships({ ours, ids, database, times }: Site): Promise<string[]> {
  const { lookupMs, patchMs } = BARS.scim;
  const size = Math.floor(ids.length / 10);
  const { id: group } = await ours.call('POST', '/Groups', { displayName: 'everybody' });
  const change = (...operations: readonly unknown[]) =>
    ours.call('PATCH', `/Groups/${String(group)}`, { Operations: operations });
  const all = ids.slice(0, size).map((value) => ({ value }));
  let whole = 0;
  const told = await ours.cpuOf(async () => {
    whole = await ours.cpuOf(async () => void (await change({ op: 'add', path: 'members', value: all })));
    await untilTold(database);
  });
  const others = ids.slice(size, size + times);
  const add = (at: number) => change({ op: 'add', path: 'members', value: [{ value: others[at % others.length] }] });
  const remove = (at: number) => change({ op: 'remove', path: `members[value eq "${others[at % others.length]}"]` });
  // The first time the directory has never heard of them.
  for (const work of [add, remove]) await mean(ours, times, work);
  const added = await mean(ours, times, add);
  const removed = await mean(ours, times, remove);
  return [
    `SCIM ${size} members in one PATCH: CPU ${ms(whole)}; ${verdict(whole, patchMs, ms)}; ${ms(told)} until the directory knows`,
    `SCIM one member into a group of ${size}: CPU ${ms(added)}; ${verdict(added, lookupMs, ms)}`,
    `SCIM one member out of a group of ${size}: CPU ${ms(removed)}; ${verdict(removed, lookupMs, ms)}`,
  ];
}

async function creates({ ours, ids, times }: Site, rounds: number): Promise<string[]> {
  const theirs = await ScimProcess.start('scimmy');
  const next = new Map([ours, theirs].map((one) => [one, ids.length]));
  const create = (server: ScimProcess) =>
    mean(server, times, () => {
      const at = next.get(server) ?? 0;
      next.set(server, at + 1);
      return server.call('POST', '/Users', userAt(at));
    });
  try {
    const [mine, others]: [number[], number[]] = [[], []];
    for (const server of [ours, theirs]) await create(server);
    for (let round = 0; round < rounds; round += 1) {
      mine.push(await create(ours));
      others.push(await create(theirs));
    }
    const ratio = ratioOf(mine, others);
    const wanted = verdict(ratio.median, BARS.scim.createRatio, number);
    return [
      `SCIM create, CPU as a multiple of scimmy-routers in memory: ${show(ratio)}; ${wanted} (${ms(median(mine))})`,
    ];
  } finally {
    await theirs.close();
  }
}

/** Each by itself, in this process. */
function hostileLine(): string {
  let worst = { name: 'none', took: 0 };
  for (const [name, , read] of hostileInputs) {
    const before = process.cpuUsage();
    try {
      read(KB_64);
    } catch {
      // Most of them are refused.
    }
    const { user, system } = process.cpuUsage(before);
    const took = (user + system) / 1_000;
    if (took > worst.took) worst = { name: name.slice(0, 60), took };
  }
  const wanted = verdict(worst.took, BARS.scim.hostileMs, ms);
  return `SCIM ${hostileInputs.length} hostile inputs of 64 kB: the slowest takes ${ms(worst.took)} of CPU (${worst.name}); ${wanted}`;
}

/** CPU of one in the mean, when as many have been done before. */
async function each(server: ScimProcess, times: number, work: (at: number) => Promise<unknown>): Promise<number> {
  await mean(server, times, work);
  return mean(server, times, work);
}

async function mean(server: ScimProcess, times: number, work: (at: number) => Promise<unknown>): Promise<number> {
  const all = await server.cpuOf(async () => {
    for (let at = 0; at < times; at += 1) await work(at);
  });
  return all / times;
}

function ms(value: number): string {
  return `${number(value)} ms`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
