/** How what stands in a target can differ from what we know, and what `adopt` and `repair` do about it; absent: nothing. */
export interface DriftKindRow {
  readonly what: string;
  readonly adopt?: string;
  readonly repair?: string;
}

export const DRIFT_KINDS = {
  account_unknown: { what: 'an account that belongs to nobody whom an origin speaks of', adopt: 'lets it stand' },
  account_unlinked: {
    what: 'an account that fits a person and is not remembered as theirs',
    adopt: 'takes it for theirs',
  },
  account_gone: {
    what: 'an account of ours that is not there any more',
    adopt: 'forgets it',
    repair: 'makes it again',
  },
  account_renamed: { what: 'an account of ours whose user name was changed', adopt: 'goes by the new name' },
  account_disabled: {
    what: 'an account that was switched off, and not by us',
    adopt: 'lets it stand',
    repair: 'switches it on',
  },
  account_enabled: { what: 'an account that we switched off and that is on again', repair: 'switches it off' },
  account_duplicate: { what: 'several accounts with one e-mail', adopt: 'lets it stand' },
  account_idle: { what: 'an account of somebody of whom no origin has spoken for long', adopt: 'lets it stand' },
  profile_changed: {
    what: 'a name or an e-mail that is not what the origin says',
    repair: 'writes what the origin says',
  },
  entitlement_by_hand: { what: 'something that nobody granted', adopt: 'lets it stand', repair: 'takes it away' },
  entitlement_gone: { what: 'something that we granted and that is not there any more', repair: 'gives it again' },
  entitlement_renamed: {
    what: 'a role or group that we give under another name than it has now',
    adopt: 'lets it stand',
  },
  entitlement_missing: { what: 'a role or group that rules name and that is not there' },
  // In shadow mode alone: what we would do.
  account_not_made: { what: 'a person without an account, who would get one' },
  account_shut_out: { what: 'an account in use of somebody whom the rules give nothing here' },
  account_held: { what: 'a person whose account policy would not let us take' },
  entitlement_not_given: { what: 'something that the rules give and the account does not have' },
} as const satisfies Record<string, DriftKindRow>;

export type DriftKind = keyof typeof DRIFT_KINDS;

export function kindRow(kind: DriftKind): DriftKindRow {
  return DRIFT_KINDS[kind];
}
