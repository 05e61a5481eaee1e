import type { Mapping, RememberedAssertion } from '../mapping/mapping.ts';
import type { Decision } from '../model/desired.ts';
import type { PersonId } from '../model/person.ts';
import type { Leaving } from './job.ts';

/** No origin says that the person is to have access, and none that owns them says that they left. */
const NOBODY_SPEAKS: Leaving = {
  policy: 'disable',
  reason: 'no origin speaks for this person',
  person: false,
  leaveAlone: [],
};

/**
 * What is remembered of a person, decided by a config. Pure. As said by the origin that spoke last of those that speak for
 * them; origins that the config does not have are not asked. Undefined: nobody who counts has said anything.
 */
export function hear(
  mapping: Mapping,
  person: PersonId,
  assertions: readonly RememberedAssertion[],
): { readonly decision: Decision } | { readonly leaving: Leaving } | undefined {
  const speaking = assertions.filter(({ active }) => active);
  // Not out, or their owner would have said so: then only what we gave goes.
  if (assertions.length > 0 && speaking.length === 0) return { leaving: NOBODY_SPEAKS };
  const latest = speaking
    .filter(({ origin }) => mapping.knows(origin))
    .toSorted((a, b) => b.at.getTime() - a.at.getTime())[0];
  if (latest === undefined) return undefined;
  return { decision: mapping.map({ person, assertions, current: latest.origin }) };
}
