import { codes, configText, examine } from './fixture.ts';

const SOURCES = 'sources: { hr: { type: scim, url: "https://hr.example/scim", token: t, claims: { badge: badge } } }';
const examined = (authority: string) =>
  examine(configText({ sources: SOURCES, identity: `identity: { authority: ${authority} }` }));

describe('whose word counts', () => {
  it('is said of attributes that some origin of the file sends, and of all others', () => {
    expect(codes(examined('{ email: hr, badge: [hr], default: hr }'))).toEqual([]);
    expect(codes(examined('{ emial: hr }'))).toEqual(['unknown_attribute identity.authority.emial']);
    expect(examined('{ emial: hr }').complaints[0]?.hint).toBe('did you mean email?');
  });

  it('is said of origins of the file', () => {
    expect(codes(examined('{ email: [hr, hrr] }'))).toEqual(['unknown_origin identity.authority.email']);
    expect(codes(examined('{ email: [] }'))).toHaveLength(1);
  });

  it.each(['groups', 'email_verified', 'origin'])('cannot be said of %s', (name) => {
    expect(codes(examined(`{ ${name}: hr }`))).toEqual([`unknown_attribute identity.authority.${name}`]);
  });
});
