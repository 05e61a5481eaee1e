let waiting: (() => void)[] = [];

/**
 * Runs `work` at the end of this turn of the event loop, after everything else that has come in with it was looked at.
 * For writes: each one alone wakes the process at the other end, which costs the kernel as much as the write itself;
 * close together they wake it once. Nothing waits for more to come.
 */
export function atEndOfTurn(work: () => void): void {
  if (waiting.push(work) === 1) setImmediate(runAll);
}

function runAll(): void {
  const works = waiting;
  waiting = [];
  for (const work of works) {
    try {
      work();
    } catch (thrown) {
      // As if it had been called by itself: the others are not its callers.
      process.nextTick(() => {
        throw thrown;
      });
    }
  }
}
