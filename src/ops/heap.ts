import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves of the young generation: half of what V8 grows it to. A quarter costs a login that begins a seventh more. */
const YOUNG_BYTES = 16 * 1024 * 1024;
/** V8 would let garbage pile up to several times of what is in use before it looks at all of it. */
const GROWING_PERCENT = 15;
/** By which V8 makes the young generation larger; by 1 not at all. */
const USUAL_FACTOR = 2;
/** Of ten kilobytes each. */
const MOST_STEPS = 4_000;
const LOOK_EVERY_MS = 100;
/** Share of the time between two looks in which the event loop worked. Below it nobody waits for the collector. */
const BUSY = 0.1;

/**
 * Makes V8 use less memory than it would, for a process that runs for months beside others. To be called before much else
 * is loaded: what is loaded survives, and the young generation would grow by it. These settings may do nothing in another
 * version of V8, and then nothing else does either: they are no part of Node's interface, but the options of the same
 * names could only be given by whoever starts the process.
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
  // What is young is mostly garbage: threads that share the rest among them wait longer for one another than they copy.
  setFlagsFromString('--no-parallel-scavenge');
  setFlagsFromString('--semi-space-growth-factor=1');
  let last = performance.eventLoopUtilization();
  // In quiet times V8 makes the young generation as small as at the start; it would stay so, and be collected all the time.
  const look = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    if (utilization <= BUSY || youngBytes() >= YOUNG_BYTES) return;
    growYoung();
    if (youngBytes() >= YOUNG_BYTES) return;
    // It does not let itself be led: from here on as V8 would have it.
    clearInterval(looking);
    setFlagsFromString(`--semi-space-growth-factor=${USUAL_FACTOR}`);
  };
  const looking = setInterval(look, LOOK_EVERY_MS).unref();
}

/** It grows when much has survived in it: until it has the wanted size, and then no more. */
function growYoung(): void {
  setFlagsFromString(`--semi-space-growth-factor=${USUAL_FACTOR}`);
  const survivors: number[][] = [];
  for (let step = 0; step < MOST_STEPS && youngBytes() < YOUNG_BYTES; step += 1) {
    for (let some = 0; some < 10; some += 1) survivors.push(new Array<number>(128).fill(step));
  }
  setFlagsFromString('--semi-space-growth-factor=1');
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? YOUNG_BYTES;
}
