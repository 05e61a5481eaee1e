import { setImmediate as turn } from 'node:timers/promises';
import { atEndOfTurn } from '../../src/ops/turn.ts';

it('runs what was put off in its order, in the turn that it was put off in', async () => {
  const done: number[] = [];
  for (let at = 0; at < 3; at += 1) {
    atEndOfTurn(() => {
      done.push(at);
      if (at === 0) atEndOfTurn(() => done.push(9));
    });
  }
  expect(done).toEqual([]);
  await turn();
  expect(done).toEqual([0, 1, 2]);
  await turn();
  expect(done).toEqual([0, 1, 2, 9]);
});
