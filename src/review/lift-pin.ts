import type { Audit } from '../audit/audit.ts';
import type { Directory } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Pin } from '../model/pin.ts';
import type { AccountState } from '../provisioning/provision.ts';

export interface LiftPinDeps extends Pick<Directory, 'pins'> {
  readonly audit: Audit;
  readonly again: (person: string, target: string, actor: string, requestId: string) => Promise<AccountState>;
}

/** From now on the rules alone decide about it again, at once. Throws `not_found`: somebody else was faster. */
export async function liftPin(
  { person, target, ...what }: Pin,
  { actor, requestId }: { readonly actor: string; readonly requestId: string },
  { pins, audit, again }: LiftPinDeps,
): Promise<AccountState> {
  const lifted = await pins.lift(person, target, what);
  const key = entitlementKey(what);
  if (lifted === undefined) throw new LatchgateError('not_found', 'it is not pinned any more');
  const { effect, by, reason } = lifted;
  const before = { effect, by, ...(reason === undefined ? {} : { reason }) };
  await audit.append([{ event: 'pin.lifted', actor, person, target, key, before, requestId }]);
  return again(person, target, actor, requestId);
}
