import type { Mapping } from '../mapping/mapping.ts';
import type { RememberedAssertion } from '../mapping/reading.ts';
import type { Decision } from '../model/desired.ts';
import { entitlementKey, type Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Pin } from '../model/pin.ts';
import type { Leaving } from './job.ts';
import { withheldKeys } from './pinned.ts';

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

/**
 * For somebody of whom nobody can say what they are to have: all stays, but for what is withheld. Undefined: nothing of that
 * is there.
 */
export function allBut(pins: readonly Pin[], ledger: readonly Grant[]): { readonly leaving: Leaving } | undefined {
  const withheld = withheldKeys(pins);
  if (!ledger.some((grant) => withheld.has(entitlementKey(grant)))) return undefined;
  const leaveAlone = [...new Set(ledger.map(({ origin }) => origin))];
  return { leaving: { policy: 'disable', reason: 'pinned by an operator', person: false, leaveAlone } };
}
