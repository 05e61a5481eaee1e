import { codes, configText, examine } from './fixture.ts';

const SOURCES =
  'sources: { hr: { type: scim, url: "https://hr.example/scim", token: t, claims: { badge: [id.badge, card] } } }';
const examined = (claims: string) =>
  examine(configText({ sources: SOURCES, state: `state: { claims: { ${claims} } }` }));

describe('what is recorded of claims', () => {
  it('may be what is used, with hashes of what nobody reads', () => {
    expect(codes(examined('keep: used, hash: [phone_number, id.photo], retention: 400d'))).toEqual([]);
  });

  it.each(['email', 'sub', 'card', 'id.badge', 'id', 'id.badge.number', '_claim_names', 'externalId'])(
    'is never a hash of %s, which is read',
    (name) => {
      expect(codes(examined(`hash: [phone_number, ${name}]`))).toEqual(['hashed_claim_read state.claims.hash.1']);
    },
  );

  it('is not forgotten within a day', () => {
    expect(codes(examined('retention: 23h'))).toEqual(['invalid_value state.claims.retention']);
  });
});
