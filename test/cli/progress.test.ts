import { createProgress } from '../../src/cli/progress.ts';
import { TestClock } from '../conformance/state.ts';

function bar(total: number, columns = 80) {
  const clock = new TestClock();
  const drawn: string[] = [];
  const progress = createProgress(total, { write: (text) => void drawn.push(text), columns }, clock);
  const shown = () => drawn.at(-1)?.replace('\r\u001b[K', '');
  return { clock, drawn, progress, shown };
}

it('shows how much is done, how fast, and how long it will take', () => {
  const { clock, progress, shown } = bar(1_200);
  for (let at = 0; at < 400; at += 1) {
    clock.fastForward(20);
    progress.step('applied');
  }
  clock.fastForward(200);
  progress.step('failed');
  expect(shown()).toBe('[########----------------]  401/1,200  33%  49/s  17s left  1 failed');
});

it('counts the rate of the last seconds: a slow start does not spoil the guess', () => {
  const { clock, progress, shown } = bar(1_000);
  progress.step('applied');
  clock.fastForward(3_600_000);
  for (let at = 0; at < 200; at += 1) {
    clock.fastForward(100);
    progress.step('applied');
  }
  expect(shown()).toContain('10/s  1m 20s left');
});

it('draws ten times a second at most, and always when all is done', () => {
  const { drawn, progress, shown } = bar(5_000);
  for (let at = 0; at < 5_000; at += 1) progress.step('applied');
  expect(drawn).toHaveLength(2);
  expect(shown()).toBe('[########################]  5,000/5,000  100%');
});

it('never takes more than one line', () => {
  const { progress, shown } = bar(3, 20);
  progress.step('applied');
  expect(shown()).toHaveLength(19);
});

it('says nothing of a rate that nobody knows yet, and hours where they are hours', () => {
  const { clock, progress, shown } = bar(10_000);
  progress.step('applied');
  expect(shown()).toBe('[------------------------]  1/10,000  0%');
  clock.fastForward(1_000);
  progress.step('applied');
  expect(shown()).toBe('[------------------------]  2/10,000  0%  2.0/s  1h 23m left');
});
