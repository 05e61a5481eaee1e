import { configText, examine, SECRET, warningCodes } from './fixture.ts';

const URL = 'url: "https://hr.example/scim", token: t';
const source = (name: string, login = '') =>
  `${name}: { type: scim, ${URL}${login === '' ? '' : `, login: ${login}`} }`;
const login = (name: string) => `${name}: { issuer: "https://${name}.example.com", client_id: latchgate }`;
const WARNING = ['user_name_of_first_door targets.superset'];

const warnings = (logins: readonly string[], sources: readonly string[], more: Readonly<Record<string, string>> = {}) =>
  warningCodes(
    examine(
      configText({
        login: `login: { ${logins.map(login).join(', ')} }`,
        sources: sources.length === 0 ? '' : `sources: { ${sources.join(', ')} }`,
        ...more,
      }),
    ),
  );
const JOIN = { identity: 'identity: { join: verified_email }' };
const CLIENT = `scim: { clients: { okta: { tokens: "${SECRET}", login: staff } } }`;

describe('the user name of a new account', () => {
  it('is no matter for a warning where one door, or a login and one list of its people, lead to somebody', () => {
    expect(warnings(['staff'], [])).toEqual([]);
    expect(warnings(['staff'], [source('hr', 'staff')])).toEqual([]);
    expect(warnings(['staff'], [], { scim: CLIENT })).toEqual([]);
    expect(warnings(['staff'], [source('hr', 'staff')], JOIN)).toEqual([]);
  });

  it('is none where several doors bring people of their own', () => {
    expect(warnings(['staff', 'partners'], [source('hr', 'staff'), source('crm', 'partners'), source('own')])).toEqual(
      [],
    );
  });

  it('is that of whichever came first where several lists are of the people of one login', () => {
    expect(warnings(['staff'], [source('hr', 'staff')], { scim: CLIENT })).toEqual(WARNING);
    expect(warnings(['staff'], [source('hr', 'staff'), source('crm', 'staff')])).toEqual(WARNING);
  });

  it('is that of whichever came first where people are joined by their addresses', () => {
    expect(warnings(['staff', 'partners'], [], JOIN)).toEqual(WARNING);
    expect(warnings(['staff'], [source('hr')], JOIN)).toEqual(WARNING);
  });

  it('is the same by every door where the target says what it is made from', () => {
    const targets = 'targets: { superset: { type: superset, url: "http://superset:8088", user_name: external_id } }';
    expect(warnings(['staff', 'partners'], [], { ...JOIN, targets })).toEqual([]);
  });
});
