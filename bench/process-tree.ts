import { readFileSync } from 'node:fs';

/** USER_HZ, in which Linux counts CPU time toward user space on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds (user and system) that a process and its descendants have used so far, ended ones included. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const member of processTree(pid)) {
    const stat = read(`/proc/${member}/stat`);
    // The name in parentheses may hold blanks; after it the fields are counted from 3 (proc_pid_stat(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    for (const field of [14, 15, 16, 17]) ticks += Number(fields[field - 3] ?? 0);
  }
  return ticks / TICKS_PER_SECOND;
}

/** Proportional set size of a process and its descendants, in bytes: shared pages count by share. */
export function pssBytes(pid: number): number {
  return pssByProcess(pid).reduce((sum, [, bytes]) => sum + bytes, 0);
}

/** The same of each of them, by process id. */
export function pssByProcess(pid: number): readonly (readonly [pid: number, bytes: number])[] {
  return processTree(pid).map((member) => {
    const kib = Number(/^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${member}/smaps_rollup`))?.[1] ?? 0);
    return [member, kib * 1024] as const;
  });
}

/** Seconds that the main thread was ready to run and had no CPU: others had them all (schedstats of the kernel). */
export function cpuWaitSeconds(pid: number): number {
  return Number(read(`/proc/${pid}/task/${pid}/schedstat`).split(' ')[1] ?? 0) / 1e9;
}

/** How many files and sockets a process may have open: the soft limit. */
export function openFilesLimit(pid: number): number {
  const limit = /^Max open files\s+(\w+)/m.exec(read(`/proc/${pid}/limits`))?.[1];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit ?? 0);
}

function processTree(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(processTree)];
}

/** Empty when the process has ended in the meantime. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
