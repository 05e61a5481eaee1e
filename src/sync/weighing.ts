import type { AccountLink } from '../directory/directory.ts';
import type { Goal } from '../provisioning/outcome.ts';
import type { Planned } from '../provisioning/plan-one.ts';
import { isSettled } from '../provisioning/written.ts';

/** Something would go that the person has now, in the target or in our books. */
export function takesSomething({ plan, stale, closes, link }: Planned): boolean {
  const { set } = plan;
  if (closes && link !== undefined && isOpen(link)) return true;
  const isLess = set !== undefined && (set.drop.length > 0 || set.active === false || set.remove === true);
  return isLess || plan.takes.length > 0 || stale.length > 0;
}

/** Something is to be written, in the target or in our books. What is held back every time anew is not. */
export function hasWork(planned: Planned, goal: Goal): boolean {
  const { plan, link, stale, isGone } = planned;
  if ('desired' in goal) return !isSettled({ ...planned, plan: { ...plan, held: [] } });
  if (plan.set !== undefined || stale.length > 0 || plan.takes.length > 0 || plan.gives.length > 0) return true;
  return link !== undefined && (isGone || isOpen(link));
}

function isOpen({ state }: AccountLink): boolean {
  return state === 'ready' || state === 'intended';
}
