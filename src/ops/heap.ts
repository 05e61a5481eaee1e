import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves of the young generation. Half of what V8 grows it to by itself, and as fast. */
const YOUNG_BYTES = 16 * 1024 * 1024;
/** V8 would let garbage pile up to several times of what is in use before it looks at all of it. */
const GROWING_PERCENT = 30;
const MOST_STEPS = 4_000;

/**
 * Makes V8 use less memory than it would, for a process that runs for months beside others. To be called before much else
 * is loaded. These settings may do nothing in another version of V8, and then nothing else does either: they are no part
 * of Node's interface, but the options of the same names could only be given by whoever starts the process.
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
  // The young generation grows by this factor when much has survived in it: once to the wanted size, and then no more.
  setFlagsFromString('--semi-space-growth-factor=8');
  const survivors: number[][] = [];
  for (let step = 0; step < MOST_STEPS && youngBytes() < YOUNG_BYTES; step += 1) {
    for (let some = 0; some < 10; some += 1) survivors.push(new Array<number>(128).fill(step));
  }
  setFlagsFromString('--semi-space-growth-factor=1');
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? YOUNG_BYTES;
}
