import { codes, configText, examine, warningCodes } from './fixture.ts';

const METADATA = 'https://idp.example.com/metadata';
const PROVIDER = `metadata: "${METADATA}", idp_entity_id: "https://idp.example.com"`;
const examined = (settings: string, more: Readonly<Record<string, string>> = {}) =>
  examine(configText({ login: `login: { p: { type: saml${settings === '' ? '' : `, ${settings}`} } }`, ...more }));

describe('a login by SAML', () => {
  it('needs metadata, and the name of the provider where they are read from an address', () => {
    const { config, complaints, warnings } = examined(PROVIDER);
    expect([...complaints, ...warnings]).toEqual([]);
    expect(config?.login['p']).toMatchObject({
      type: 'saml',
      want_response_signed: true,
      want_assertion_signed: true,
      idp_initiated: false,
      clock_skew: 60_000,
    });
    expect(codes(examined(''))).toEqual(['missing_key login.p.metadata']);
    expect(codes(examined(`metadata: "${METADATA}"`))).toEqual(['missing_key login.p.idp_entity_id']);
  });

  it.each([
    ['issuer: "https://idp.example.com/", client_id: x', true],
    ['issuer: "https://id.example.com", client_id: x', false],
    [`type: saml, entity_id: other, ${PROVIDER}`, true],
    [`type: saml, ${PROVIDER.replace('//idp.example.com"', '//two.example.com"')}`, false],
  ])('beside one of { %s } has the same provider: %s', (other, isShared) => {
    const login = (first: string, second: string) => `login: { a: { ${first} }, b: { ${second} } }`;
    const saml = `type: saml, ${PROVIDER}`;
    const shared = isShared ? ['duplicate_issuer login.b.idp_entity_id'] : [];
    expect(codes(examine(configText({ login: login(other, saml) })))).toEqual(shared);
    expect(codes(examine(configText({ login: login(saml, other) })))).toHaveLength(shared.length);
  });

  it.each([
    ['http://idp.example.com/metadata', 'plain http'],
    ['idp.xml', 'a path'],
    ['<EntityDescriptor/>', 'no identity provider'],
    ['<!DOCTYPE x><IDPSSODescriptor/>', 'a DOCTYPE'],
    ['https://user:secret@idp.example.com/', 'a password'],
  ])('refuses metadata of %s: %s', (metadata) => {
    expect(codes(examined(`metadata: '${metadata}'`))).toEqual(['invalid_value login.p.metadata']);
  });

  it('takes metadata as XML, from a file', () => {
    const files = {
      '/etc/latchgate/idp.xml': '<?xml version="1.0"?>\n<EntityDescriptor><IDPSSODescriptor/></EntityDescriptor>',
    };
    const text = configText({ login: 'login: { p: { type: saml, metadata: "${file:idp.xml}" } }' });
    expect(codes(examine(text, { files }))).toEqual([]);
  });

  it('has at least one signature, and warns where there is one alone', () => {
    const off = 'want_response_signed: false';
    expect(codes(examined(`${PROVIDER}, ${off}, want_assertion_signed: false`))).toEqual([
      'saml_unsigned login.p.want_assertion_signed',
    ]);
    expect(warningCodes(examined(`${PROVIDER}, ${off}, idp_initiated: true`))).toEqual([
      'saml_loosened login.p.want_response_signed',
      'saml_loosened login.p.idp_initiated',
    ]);
  });

  it('has no keys of OpenID Connect, nor the other way round', () => {
    expect(codes(examined(`${PROVIDER}, issuer: "https://x"`))).toEqual(['unknown_key login.p.issuer']);
    const login = 'login: { p: { issuer: "https://id.example.com", client_id: x, want_response_signed: true } }';
    expect(codes(examine(configText({ login })))).toEqual(['unknown_key login.p.want_response_signed']);
  });

  it('allows a clock to be off by five minutes and no more', () => {
    expect(codes(examined(`${PROVIDER}, clock_skew: 6m`))).toEqual(['invalid_value login.p.clock_skew']);
  });

  it('takes a key in PEM alone', () => {
    expect(codes(examined(`${PROVIDER}, signing_key: secret`))).toEqual(['invalid_value login.p.signing_key']);
  });
});

it('a kind of login that nobody knows is refused, and the two that there are are named', () => {
  const { complaints } = examine(configText({ login: 'login: { p: { type: ldap } }' }));
  expect(complaints[0]).toMatchObject({ code: 'not_an_option', path: ['login', 'p', 'type'] });
  expect(`${complaints[0]?.message} ${complaints[0]?.hint}`).toMatch(/oidc.*saml/);
});

it('a route names a login of the file', () => {
  const routes = 'routes: [{ path: /, to: superset, login: stuff }]';
  expect(codes(examine(configText({ routes })))).toEqual(['unknown_origin routes.0.login']);
  expect(codes(examine(configText({ routes: routes.replace('stuff', 'staff') })))).toEqual([]);
});
