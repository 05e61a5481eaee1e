import { compileClaimName } from '../mapping/claims.ts';
import { isWithin, placesOf } from '../mapping/not-recorded.ts';
import { ALWAYS_READ } from '../mapping/recorded.ts';
import type { Finding } from './complaint.ts';
import type { Checked } from './declared.ts';
import type { Config } from './schema.ts';

/** What is to be hashed (`state.claims.hash`) against what is read: nothing can be decided by a hash. */
export function checkClaims({ state, login, sources, scim }: Partial<Config>): Checked {
  const read = [
    ...Object.entries(login ?? {}).map(([name, { claims }]) => ({ where: `login.${name}.claims`, claims })),
    ...Object.entries(sources ?? {}).map(([name, { claims }]) => ({ where: `sources.${name}.claims`, claims })),
    ...Object.entries(scim?.clients ?? {}).map(([name, { claims }]) => ({
      where: `scim.clients.${name}.claims`,
      claims,
    })),
  ].flatMap(({ where, claims }) =>
    Object.entries(claims).map(([attribute, names]) => ({ by: `\`${where}.${attribute}\` reads it`, names })),
  );
  const always = { by: 'the gateway itself reads it', names: ALWAYS_READ };
  const complaints = (state?.claims.hash ?? []).flatMap((name, at): Finding[] => {
    const reader = [always, ...read].find(({ names }) => names.some((other) => isSamePlace(name, other)));
    if (reader === undefined) return [];
    const message = `\`state.claims.hash\` names a claim by which people are decided about: ${reader.by}`;
    const hint = 'leave it out here, or read another claim there';
    return [{ path: ['state', 'claims', 'hash', at], code: 'hashed_claim_read', message, hint }];
  });
  return { complaints, warnings: [] };
}

function isSamePlace(one: string, other: string): boolean {
  return placesOf(compileClaimName(one)).some((place) =>
    placesOf(compileClaimName(other)).some((whole) => isWithin(place, whole) || isWithin(whole, place)),
  );
}
