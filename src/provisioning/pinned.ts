import type { DesiredAccount } from '../model/desired.ts';
import { entitlementKey } from '../model/entitlement.ts';
import type { Pin } from '../model/pin.ts';

/** Origin of what is given because an operator said so. */
const OPERATOR_ORIGIN = 'operator';

/** What is wanted of an account, in the target's own terms, with what was pinned: never what is withheld, always what is kept. */
export function heed(desired: DesiredAccount, pins: readonly Pin[]): DesiredAccount {
  if (pins.length === 0) return desired;
  const withheld = withheldKeys(pins);
  const kept = pins.flatMap(({ effect, kind, name, scope, by }) => {
    if (effect !== 'kept') return [];
    return [{ kind, name, ...(scope === undefined ? {} : { scope }), rule: by, origin: OPERATOR_ORIGIN }];
  });
  const given = desired.entitlements.filter((one) => !withheld.has(entitlementKey(one)));
  return { ...desired, entitlements: [...given, ...kept] };
}

export function withheldKeys(pins: readonly Pin[]): ReadonlySet<string> {
  return new Set(pins.flatMap((pin) => (pin.effect === 'withheld' ? [entitlementKey(pin)] : [])));
}

/** For a trace: `superset:role:Alpha: not given, pinned by review rv_1 (left the team)`. */
export function pinText(pin: Pin): string {
  const what = pin.effect === 'withheld' ? 'not given' : 'given whatever the rules say';
  const why = pin.reason === undefined ? '' : ` (${pin.reason})`;
  return `${pin.target}:${entitlementKey(pin)}: ${what}, pinned by ${pin.by}${why}`;
}
