import fc from 'fast-check';
import { compileClaimName } from '../../src/mapping/claims.ts';
import { compileGroupFilter, readGroups, type SentGroups } from '../../src/mapping/groups.ts';

function read(
  claims: Record<string, unknown>,
  separator?: string,
  names = ['urn.gooddata.user_groups', 'groups'],
): SentGroups {
  return readGroups(claims, { names: names.map(compileClaimName), separator, max: 5 });
}

function refusal(sent: SentGroups): { code: string; note: string } {
  if (sent.kind !== 'refused') throw new Error(`not refused but ${JSON.stringify(sent)}`);
  return sent.refusal;
}

describe('what was sent', () => {
  it('a list is exactly these, repeats collapsed', () => {
    expect(read({ groups: ['b', 'a', 'b'] })).toEqual({ kind: 'list', values: ['b', 'a'] });
    expect(read({ groups: [] })).toEqual({ kind: 'list', values: [] });
  });

  it('one text is one group, whatever it holds', () => {
    expect(read({ groups: 'a,b; c' })).toEqual({ kind: 'list', values: ['a,b; c'] });
  });

  it('one text is split when a separator is set', () => {
    expect(read({ groups: 'a; b;;c ' }, ';')).toEqual({ kind: 'list', values: ['a', 'b', 'c'] });
  });

  it('an empty text is no group', () => {
    expect(read({ groups: '' })).toEqual({ kind: 'list', values: [] });
    expect(read({ groups: '' }, ';')).toEqual({ kind: 'list', values: [] });
  });

  it('the first claim that is there counts, be it empty', () => {
    expect(read({ 'urn.gooddata.user_groups': [], groups: ['a'] })).toEqual({ kind: 'list', values: [] });
  });

  it('a claim that is not there is absent, also when a prototype has one of that name', () => {
    expect(read({})).toEqual({ kind: 'absent' });
    expect(read({}, undefined, ['toString', 'constructor.name'])).toEqual({ kind: 'absent' });
    expect(read(Object.create({ groups: ['admins'] }))).toEqual({ kind: 'absent' });
  });

  it('bidirectional and invisible characters are kept: they are compared, not shown', () => {
    expect(read({ groups: ['a\u202eb', 'a\u200bb'] })).toEqual({ kind: 'list', values: ['a\u202eb', 'a\u200bb'] });
  });

  it('256 characters are a group, 257 are not; astral ones count once', () => {
    expect(read({ groups: ['💡'.repeat(256)] }).kind).toBe('list');
    expect(refusal(read({ groups: ['💡'.repeat(257)] })).code).toBe('groups_invalid');
    expect(refusal(read({ groups: ['x'.repeat(257)] })).code).toBe('groups_invalid');
  });

  it.each([
    ['null', null],
    ['a number', 7],
    ['a boolean', true],
    ['an object', { admins: true }],
    ['a list in a list', [['admins']]],
    ['a list with a number', ['a', 1]],
    ['a list with null', ['a', null]],
    ['a list of objects', [{ name: 'admins' }]],
    ['a NUL', ['a\u0000b']],
    ['a line break', 'a\nb'],
    ['a C1 control', ['a\u0085b']],
    ['DEL', ['a\u007f']],
    ['half a surrogate pair', ['a\ud800b']],
  ])('%s is refused', (_, groups) => {
    expect(refusal(read({ groups })).code).toBe('groups_invalid');
  });

  it('more than groups.max are refused, with both numbers', () => {
    expect(refusal(read({ groups: ['1', '2', '3', '4', '5', '6'] }))).toEqual({
      code: 'groups_too_many',
      note: 'groups: 6 of them, and groups.max is 5',
    });
  });

  it('a refusal tells shape and length, never the value', () => {
    const { note } = refusal(read({ groups: ['fine', 'se\u0000cret'] }));
    expect(note).toBe(
      'groups: item 2 of 2 is a text of 7 characters with a control character or half a surrogate pair',
    );
  });
});

describe('groups that the provider left out', () => {
  it.each([
    [
      '_claim_names',
      { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example' } } },
    ],
    ['hasgroups true', { hasgroups: true }],
    ['hasgroups as a text', { hasgroups: 'true' }],
  ])('%s is neither absent nor empty', (_, claims) => {
    expect(refusal(read(claims)).code).toBe('groups_overage');
  });

  it('groups that are there count', () => {
    expect(read({ hasgroups: true, groups: ['a'] })).toEqual({ kind: 'list', values: ['a'] });
  });

  it('a second choice does not stand in for a first that was left out', () => {
    expect(refusal(read({ hasgroups: true, roles: ['r'] }, undefined, ['groups', 'roles'])).code).toBe(
      'groups_overage',
    );
  });

  it('does not matter where groups come from another claim', () => {
    expect(read({ hasgroups: true, roles: ['r'] }, undefined, ['roles'])).toEqual({ kind: 'list', values: ['r'] });
  });

  it('is seen under the SAML name too', () => {
    const uri = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups';
    expect(refusal(read({ hasgroups: true }, undefined, [uri])).code).toBe('groups_overage');
  });

  it.each([{ hasgroups: false }, { _claim_names: {} }, { _claim_names: null }, { _claim_names: { email: 'src1' } }])(
    '%j is no sign of it',
    (claims) => {
      expect(read(claims)).toEqual({ kind: 'absent' });
    },
  );
});

describe('what is let in', () => {
  it('strips one leading text, renames exactly, then asks groups.allow', () => {
    const filter = compileGroupFilter({
      strip: '/',
      rename: { '8b1f-c1e': 'bi-admins', constructor: 'bi-c' },
      allow: ['finance', 'bi-*'],
    });
    const { names, trace } = filter([
      '/bi-eng',
      '//bi-x',
      '8b1f-c1e',
      '/8b1f-c1e',
      'finance',
      'Finance',
      '/',
      'toString',
    ]);
    expect(names).toEqual(['bi-eng', 'bi-admins', 'finance']);
    expect(trace).toEqual([
      { value: '/bi-eng', name: 'bi-eng', kept: true, by: 'groups.allow[1]' },
      { value: '//bi-x', name: '/bi-x', kept: false, by: 'no line of groups.allow fits' },
      { value: '8b1f-c1e', name: 'bi-admins', kept: true, by: 'groups.allow[1]' },
      { value: '/8b1f-c1e', name: 'bi-admins', kept: true, by: 'groups.allow[1]' },
      { value: 'finance', name: 'finance', kept: true, by: 'groups.allow[0]' },
      { value: 'Finance', name: 'Finance', kept: false, by: 'no line of groups.allow fits' },
      { value: '/', name: '', kept: false, by: 'empty' },
      { value: 'toString', name: 'toString', kept: false, by: 'no line of groups.allow fits' },
    ]);
  });

  it('a renamed group has to be allowed under its new name', () => {
    const filter = compileGroupFilter({ strip: '', rename: { id: 'hidden' }, allow: ['id'] });
    expect(filter(['id']).names).toEqual([]);
  });

  it('an empty list lets nothing in', () => {
    expect(compileGroupFilter({ strip: '', rename: {}, allow: [] })(['a']).names).toEqual([]);
  });
});

describe('groups that are distinguished names', () => {
  const names = (values: readonly string[], more: { readonly dn_under?: string[]; readonly dn?: 'keep' } = {}) =>
    compileGroupFilter({ dn: 'cn', dn_under: [], strip: '', rename: { 'BI-Old': 'BI-New' }, allow: ['BI-*'], ...more })(
      values,
    );
  const ANALYSTS = 'CN=BI-Analysts,OU=Groups,DC=example,DC=com';

  it('are known by their CN, which is then renamed and has to be allowed', () => {
    expect(names([ANALYSTS, 'CN=BI-Old,OU=Groups', 'CN=Domain Users,CN=Users', 'BI-Plain']).names).toEqual([
      'BI-Analysts',
      'BI-New',
      'BI-Plain',
    ]);
  });

  it('stay as they are unless that is asked for', () => {
    expect(names([ANALYSTS], { dn: 'keep' }).names).toEqual([]);
  });

  it('of another place in the tree do not count where places are named', () => {
    const { trace } = names([ANALYSTS, 'CN=BI-Admins,OU=Mine,DC=example,DC=com'], {
      dn_under: ['ou=groups,dc=example,dc=com'],
    });
    expect(trace.map(({ kept, by }) => [kept, by])).toEqual([
      [true, 'groups.allow[0]'],
      [false, 'below no line of groups.dn_under'],
    ]);
  });

  it('are all that counts where places are named: of a bare name nobody knows where it lies', () => {
    const sent = [
      'BI-Analysts',
      'OU=BI-Analysts,OU=Groups,DC=example,DC=com',
      'CN=BI-X+CN=BI-Y,OU=Groups,DC=example,DC=com',
    ];
    const { names: kept, trace } = names([...sent, ANALYSTS], { dn_under: ['OU=Groups,DC=example,DC=com'] });
    expect(kept).toEqual(['BI-Analysts']);
    const why = 'no distinguished name with one CN, and groups.dn_under asks for one';
    expect(trace.map(({ kept: passes, by }) => (passes ? 'kept' : by))).toEqual([why, why, why, 'kept']);
    expect(names(sent).names).toEqual(['BI-Analysts']);
  });

  it('do not bring in by an escape what no group may hold', () => {
    expect(names([String.raw`CN=BI-\0AX,DC=com`]).trace[0]?.by).toBe('the CN holds a control character');
    expect(names([`CN=BI-${'x'.repeat(254)},DC=com`]).trace[0]?.by).toBe('the CN is too long');
  });

  it('may be longer than a group, and are cut from one text only where a backslash does not hold the separator', () => {
    const long = `CN=BI,${'OU=Groups,'.repeat(40)}DC=com`;
    const options = { names: [compileClaimName('memberOf')], separator: ';', max: 5, dn: 'cn' } as const;
    expect(readGroups({ memberOf: `${long};CN=a\\;b,DC=com; CN=c\\\\;CN=d` }, options)).toEqual({
      kind: 'list',
      values: [long, 'CN=a\\;b,DC=com', 'CN=c\\\\', 'CN=d'],
    });
    expect(refusal(read({ groups: [long] })).code).toBe('groups_invalid');
  });
});

it('never throws, and never lets an unclean group through', () => {
  fc.assert(
    fc.property(fc.anything(), (groups) => {
      const sent = read({ groups });
      if (sent.kind === 'list') for (const value of sent.values) expect(value).not.toMatch(/[\p{Cc}\p{Cs}]/u);
    }),
  );
});
