import type { AuditRecord } from '../audit/audit.ts';

/** A record of an audit that was kept elsewhere, as far as it is needed here. */
export type KeptRecord = Pick<AuditRecord, 'seq' | 'hash' | 'event' | 'person' | 'target' | 'origin' | 'key'> & {
  readonly after?: unknown;
};

/** What was decided last of each, by records that a restored database does not have. */
export interface Lost {
  readonly records: number;
  /** True: disabled, or left and not seen since. */
  readonly out: ReadonlyMap<string, boolean>;
  /** The last `grant.pinned` or `pin.lifted` of each grant. */
  readonly pins: readonly KeptRecord[];
  /** Ids of tokens of the store. */
  readonly revoked: readonly string[];
  /** Clients that have got a token. */
  readonly newTokens: readonly string[];
  /** People that were linked or unlinked. */
  readonly linked: readonly string[];
  /** SCIM clients that have pushed something. */
  readonly pushed: readonly string[];
}

/** `kept`, without what `ours` has and without what is older than the first of ours. Records that are there twice count once. */
export async function lostRecords(
  kept: readonly KeptRecord[],
  ours: AsyncIterable<AuditRecord>,
): Promise<readonly KeptRecord[]> {
  const rest = new Map(kept.map((record) => [record.hash, record]));
  let first: number | undefined;
  for await (const { seq, hash } of ours) {
    first ??= seq;
    rest.delete(hash);
  }
  return [...rest.values()].filter(({ seq }) => seq >= (first ?? 0)).toSorted((a, b) => a.seq - b.seq);
}

/** Pure. */
export function whatWasLost(records: readonly KeptRecord[]): Lost {
  const out = new Map<string, boolean>();
  const disabled = new Set<string>();
  const pins = new Map<string, KeptRecord>();
  const lists = { revoked: new Set<string>(), newTokens: new Set<string>(), linked: new Set<string>() };
  const pushed = new Set<string>();
  for (const record of records) {
    const { event, person, target, origin, key } = record;
    if (event === 'scim.token.revoked' && key !== undefined) lists.revoked.add(key);
    else if (event === 'scim.token.created' && origin !== undefined) lists.newTokens.add(origin);
    else if (/^scim\.(user|group)\./.test(event) && origin !== undefined) pushed.add(origin);
    if (person === undefined) continue;
    if (event === 'person.disabled') disabled.add(person);
    else if (event === 'person.enabled') disabled.delete(person);
    if (event === 'person.disabled' || event === 'person.left') out.set(person, true);
    // Who left and came back is given something again, or gets in.
    else if (event === 'person.enabled') out.set(person, false);
    else if (BACK.has(event) && out.get(person) === true && !disabled.has(person)) out.delete(person);
    if (event === 'person.linked' || event === 'person.unlinked') lists.linked.add(person);
    if (event === 'grant.pinned' || event === 'pin.lifted') pins.set(`${person} ${target} ${key}`, record);
  }
  return {
    records: records.length,
    out,
    pins: [...pins.values()],
    revoked: [...lists.revoked],
    newTokens: [...lists.newTokens],
    linked: [...lists.linked],
    pushed: [...pushed],
  };
}

const BACK: ReadonlySet<string> = new Set(['login.allowed', 'grant.given', 'account.created']);
