import { performance } from 'node:perf_hooks';
import { getHeapSpaceStatistics, type HeapSpaceInfo, setFlagsFromString } from 'node:v8';

/** Both halves of the young generation: half of what V8 grows it to. A quarter costs a login that begins a seventh more. */
const YOUNG_BYTES = 16 * 1024 * 1024;
/** V8 would let garbage pile up to several times of what is in use before it looks at all of it. */
const GROWING_PERCENT = 10;
/** By which V8 makes the young generation larger; by 1 not at all. */
const USUAL_FACTOR = 2;
/** Of ten kilobytes each. */
const MOST_STEPS = 4_000;
const LOOK_EVERY_MS = 100;
/** Share of the old generation that may lie idle between what is in use. */
const HOLES = 0.1;
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
  let isLed = true;
  const look = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    fillHoles();
    // In quiet times V8 makes the young generation as small as at the start; it would stay so, and be collected all the time.
    if (!isLed || utilization <= BUSY || youngBytes() >= YOUNG_BYTES) return;
    growYoung();
    isLed = youngBytes() >= YOUNG_BYTES;
    // It does not let itself be led: from here on as V8 would have it.
    if (!isLed) setFlagsFromString(`--semi-space-growth-factor=${USUAL_FACTOR}`);
  };
  setInterval(look, LOOK_EVERY_MS).unref();
}

/**
 * What ended sessions leave behind is strewn over pages, which V8 keeps for what little else is on them. Has the next
 * collection move that together; it takes up to twice as long, and would each time.
 */
function fillHoles(): void {
  const { space_size: size, space_used_size: used } = spaceOf('old_space') ?? { space_size: 0, space_used_size: 0 };
  setFlagsFromString(size - used > HOLES * size ? '--optimize-for-size' : '--no-optimize-for-size');
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
  return spaceOf('new_space')?.space_size ?? YOUNG_BYTES;
}

function spaceOf(name: string): HeapSpaceInfo | undefined {
  return getHeapSpaceStatistics().find((space) => space.space_name === name);
}
