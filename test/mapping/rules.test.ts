// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${…}` is how a grant of the config names a capture
import { compileMapping } from '../../src/mapping/mapping.ts';
import type { Decision, RuleTrace } from '../../src/model/desired.ts';
import { entitlementKey } from '../../src/model/entitlement.ts';
import { assertionOf, configOf, type WrittenConfig } from './config-of.ts';

const BASE: WrittenConfig = {
  identity: { require: [] },
  origins: { staff: { claims: { title: 'title', department: 'department' } } },
};

function decide(claims: Record<string, unknown>, written: WrittenConfig): Decision {
  const mapping = compileMapping(configOf({ ...BASE, ...written }));
  return mapping.map({ person: 'p_1', assertions: [assertionOf(claims)], current: 'staff' });
}

/** `superset` → `role:Alpha by analysts`, …; undefined when there is no account. */
function given(decision: Decision, target = 'superset'): readonly string[] | undefined {
  return decision.accounts.get(target)?.entitlements.map((row) => `${entitlementKey(row)} by ${row.rule}`);
}

function ruleOf(decision: Decision, name: string): RuleTrace {
  const rule = decision.trace.rules.find((one) => one.name === name);
  if (rule === undefined) throw new Error(`no rule ${name}`);
  return rule;
}

const role = (...roles: string[]): object => ({ superset: { roles } });

describe('when', () => {
  const finance = {
    rules: {
      finance: {
        when: { groups: 'fin', title: ['Analyst', 'Senior *'], not: { department: 'Audit' } },
        grant: role('Finance'),
      },
    },
  };

  it.each([
    [{ groups: ['fin'], title: 'Analyst' }, true],
    [{ groups: ['fin'], title: 'Senior Analyst', department: 'Sales' }, true],
    [{ groups: ['fin'], title: ['Nobody', 'Analyst'] }, true],
    [{ groups: ['fin'], title: 'Analyst', department: 'Audit' }, false],
    [{ groups: ['fin'], title: 'Analyst', department: ['Sales', 'Audit'] }, false],
    [{ groups: ['fin'], title: 'analyst' }, false],
    [{ groups: ['fin'] }, false],
    [{ groups: ['fin'], title: '' }, false],
    [{ groups: ['other'], title: 'Analyst' }, false],
  ])('%j: %j', (claims, fits) => {
    expect(given(decide(claims, finance))).toEqual(fits ? ['role:Finance by finance'] : undefined);
  });

  it('tells for each line why', () => {
    expect(ruleOf(decide({ groups: ['fin'], title: 'Boss' }, finance), 'finance').because).toEqual([
      'groups: "fin" is fin (exact)',
      'title: not one of Analyst, Senior *',
      'not: holds (department: not Audit (not sent))',
    ]);
    expect(
      ruleOf(decide({ groups: ['fin'], title: 'Senior X', department: 'Audit' }, finance), 'finance').because,
    ).toEqual([
      'groups: "fin" is fin (exact)',
      'title: "Senior X" is Senior * (glob)',
      'not: fails (department: "Audit" is Audit (exact))',
    ]);
  });

  it('a rule without it fits everybody; not of not is the block again', () => {
    const rules = { all: { grant: role('A') }, twice: { when: { not: { not: { groups: 'a' } } }, grant: role('B') } };
    expect(given(decide({ groups: ['a'] }, { rules }))).toEqual(['role:A by all', 'role:B by twice']);
    expect(given(decide({ groups: ['b'] }, { rules }))).toEqual(['role:A by all']);
  });

  it('origin is the origin that speaks', () => {
    const rules = {
      here: { when: { origin: 'staff' }, grant: role('A') },
      there: { when: { origin: 'part*' }, grant: role('B') },
    };
    expect(given(decide({}, { rules }))).toEqual(['role:A by here']);
  });

  it('groups that were dropped fit nothing', () => {
    const rules = { a: { when: { groups: '*' }, grant: role('A') } };
    expect(given(decide({ groups: ['x'] }, { rules, groups: { allow: ['y'] } }))).toBeUndefined();
  });
});

describe('grants', () => {
  it('add up over rules, each entitlement once, whatever the order', () => {
    const one = { when: { groups: 'a' }, grant: role('R', 'S') };
    const two = {
      when: { groups: 'b' },
      grant: { superset: { roles: ['R'], groups: ['g'] }, gooddata: { permissions: { sales: ['VIEW'] } } },
    };
    const forward = decide({ groups: ['a', 'b'] }, { rules: { one, two } });
    const backward = decide({ groups: ['b', 'a'] }, { rules: { two, one } });
    expect(given(forward)).toEqual(['group:g by two', 'role:R by one', 'role:S by one']);
    expect(given(backward)).toEqual(given(forward));
    expect(given(forward, 'gooddata')).toEqual(['permission:VIEW@sales by two']);
  });

  it('an empty grant is an account without entitlements', () => {
    expect(given(decide({}, { rules: { all: { grant: { superset: {} } } } }))).toEqual([]);
  });

  it('nothing given and no default: no account', () => {
    const decision = decide({ groups: ['x'] }, { rules: { a: { when: { groups: 'a' }, grant: role('A') } } });
    expect(decision).toMatchObject({ decision: 'allow' });
    expect(decision.accounts.size).toBe(0);
  });

  it('deny beats grant, and its sentence is for the person', () => {
    const rules = { a: { grant: role('A') }, stop: { when: { groups: 'bad' }, deny: 'Ask Ann.' } };
    expect(decide({ groups: ['bad'] }, { rules })).toMatchObject({
      decision: 'deny',
      code: 'denied_by_rule',
      message: 'Ask Ann.',
      accounts: new Map(),
    });
    expect(decide({ groups: ['good'] }, { rules }).decision).toBe('allow');
  });
});

describe('default', () => {
  const rules = {
    a: { when: { groups: 'a' }, grant: role('A') },
    bare: { when: { groups: 'b' }, grant: { superset: {} } },
  };
  const byDefault = { grant: { superset: { roles: ['Gamma'] }, gooddata: { groups: ['viewers'] } } };

  it('counts for each target in which no rule gave anything', () => {
    const decision = decide({ groups: ['a'] }, { rules, default: byDefault });
    expect(given(decision)).toEqual(['role:A by a']);
    expect(given(decision, 'gooddata')).toEqual(['group:viewers by default']);
    expect(ruleOf(decision, 'default')).toMatchObject({ matched: true, because: ['gooddata: no rule gave anything'] });
  });

  it('does not add to an account that a rule gave bare', () => {
    expect(given(decide({ groups: ['b'] }, { rules, default: byDefault }))).toEqual([]);
  });

  it('that denies, denies those alone to whom nothing is given anywhere', () => {
    const denying = { deny: 'Ask for access.' };
    expect(decide({}, { rules, default: denying })).toMatchObject({
      decision: 'deny',
      code: 'denied_by_default',
      message: 'Ask for access.',
    });
    expect(decide({ groups: ['a'] }, { rules, default: denying }).decision).toBe('allow');
  });
});

describe('captures', () => {
  const teams = {
    teams: {
      when: { groups: '~company[:/](?<team>[a-z0-9-]+)[:/](?<level>viewer|editor)' },
      grant: { superset: { roles: ['${team}_${level}'] }, gooddata: { permissions: { 'ws-${team}': ['VIEW'] } } },
    },
  };

  it('each value that fits grants once', () => {
    const decision = decide(
      { groups: ['company:eng:viewer', 'company/ops/editor', 'company:x:owner'] },
      { rules: teams },
    );
    expect(given(decision)).toEqual(['role:eng_viewer by teams', 'role:ops_editor by teams']);
    expect(given(decision, 'gooddata')).toEqual(['permission:VIEW@ws-eng by teams', 'permission:VIEW@ws-ops by teams']);
  });

  it('${match} is the value that fitted, of the groups line', () => {
    const rules = {
      same: { when: { groups: 'bi-*', origin: 'staff' }, grant: { gooddata: { groups: ['${match}', 'all'] } } },
    };
    expect(given(decide({ groups: ['bi-a', 'x', 'bi-b'] }, { rules }), 'gooddata')).toEqual([
      'group:all by same',
      'group:bi-a by same',
      'group:bi-b by same',
    ]);
  });

  it('${match} is of the one other line when there is no groups line', () => {
    const rules = {
      same: { when: { department: '*', origin: 'staff' }, grant: { gooddata: { groups: ['dep ${match}'] } } },
    };
    expect(given(decide({ department: 'Sales' }, { rules }), 'gooddata')).toEqual(['group:dep Sales by same']);
  });

  it('two lines make every combination', () => {
    const rules = { both: { when: { groups: '~g-(?<g>.*)', department: '~d-(?<d>.*)' }, grant: role('${g}/${d}') } };
    expect(given(decide({ groups: ['g-1', 'g-2'], department: ['d-1', 'd-2'] }, { rules }))).toEqual(
      ['1/1', '1/2', '2/1', '2/2'].map((name) => `role:${name} by both`),
    );
  });

  it('too many combinations give none, with a code', () => {
    const rules = {
      both: { when: { groups: '~g-(?<g>.*)', department: '~d-(?<d>.*)' }, grant: role('${g}/${d}', '${g}') },
    };
    const groups = Array.from({ length: 40 }, (_, index) => `g-${index}`);
    const department = Array.from({ length: 40 }, (_, index) => `d-${index}`);
    const decision = decide({ groups, department }, { rules });
    expect(given(decision)).toHaveLength(40);
    expect(ruleOf(decision, 'both').refused).toEqual([
      {
        entitlement: 'superset:role:${g}/${d}',
        code: 'entitlements_too_many',
        why: '1600 combinations of values that fit; at most 1000',
      },
    ]);
  });

  it('the first pattern of a line that captures a name wins; a value counts once', () => {
    const rules = { a: { when: { groups: ['~(?<x>a)b', '~a(?<x>b)', 'a*'] }, grant: role('${x}') } };
    expect(given(decide({ groups: ['ab'] }, { rules }))).toEqual(['role:a by a']);
  });

  it('a capture that took no part gives nothing, nor does a name of blanks or one too long', () => {
    const rules = {
      a: { when: { groups: '~a(?<x>b)?(?<y> *)(?<z>c*)' }, grant: role('${x}', '${y}', '${match}${match}') },
    };
    const decision = decide({ groups: [`a${'c'.repeat(200)}`] }, { rules, default: { grant: role('Gamma') } });
    expect(given(decision)).toEqual(['role:Gamma by default']);
    expect(ruleOf(decision, 'a').refused.map(({ code, why }) => `${code}: ${why}`)).toEqual([
      'entitlement_invalid: a capture took no part in the match',
      'entitlement_invalid: the name would be empty',
      'entitlement_invalid: the name would have more than 256 characters',
    ]);
  });

  it.each([
    ['nothing captures it', { when: { groups: 'a' }, grant: role('${team}') }],
    ['two lines capture it', { when: { groups: '~(?<t>.*)', title: '~(?<t>.*)' }, grant: role('${t}') }],
    ['it is captured inside not', { when: { not: { groups: '~(?<t>.*)' } }, grant: role('${t}') }],
    ['match of two lines', { when: { department: 'a', title: 'b' }, grant: role('${match}') }],
    ['match of no line', { grant: role('${match}') }],
  ])('config_invalid when %s', (_, rule) => {
    expect(() => decide({}, { rules: { rule } })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  it('config_invalid for a capture in default, and for a target that is not there', () => {
    expect(() => decide({}, { default: { grant: role('${match}') } })).toThrow('default.grant.superset');
    expect(() => decide({}, { rules: { a: { grant: { sperset: {} } } } })).toThrow('there is no target sperset');
  });
});

describe('a privileged entitlement', () => {
  const privileged = [
    'superset:role:Admin',
    'gooddata:group:adminGroup',
    'gooddata:permission:MANAGE',
    'gooddata:permission:EDIT@hr',
  ];

  function admin(
    when: object | undefined,
    claims: Record<string, unknown> = { groups: ['bi-admins'] },
    grant: object = role('Admin'),
  ): Decision {
    const rule = when === undefined ? { grant } : { when, grant };
    return decide(claims, { rules: { admins: rule }, privileged, groups: { rename: { 'id-1': 'bi-admins' } } });
  }

  it.each([
    ['an exact name', { groups: 'bi-admins' }, undefined],
    ['an exact name among others', { groups: ['bi-*', 'bi-admins'], origin: 'staff' }, undefined],
    ['a group that was renamed to the exact name', { groups: 'bi-admins' }, { groups: ['id-1'] }],
  ])('is given by %s', (_, when, claims) => {
    expect(given(admin(when, claims))).toEqual(['role:Admin by admins']);
  });

  it.each([
    ['a glob', { groups: 'bi-*' }, undefined],
    ['a regular expression', { groups: '~bi-admins' }, undefined],
    ['a line whose exact name is not the one that fitted', { groups: ['bi-*', 'bi-owners'] }, undefined],
    ['another attribute', { department: 'IT' }, { department: 'IT', groups: ['bi-admins'] }],
    ['an exact name inside not', { not: { groups: 'x' } }, undefined],
    ['no condition', undefined, undefined],
  ])('is refused by %s', (_, when, claims) => {
    const decision = admin(when, claims);
    expect(given(decision)).toBeUndefined();
    expect(ruleOf(decision, 'admins')).toMatchObject({
      matched: true,
      gave: [],
      refused: [{ entitlement: 'superset:role:Admin', code: 'privileged_needs_exact' }],
    });
  });

  it('is refused when its name is made from a claim, under an exact line too', () => {
    const decision = decide(
      { groups: ['Admin', 'Alpha'] },
      { rules: { same: { when: { groups: ['Admin', 'Alpha'] }, grant: role('${match}') } }, privileged },
    );
    expect(given(decision)).toEqual(['role:Alpha by same']);
  });

  it('is not had by another case or a compatibility form of its name', () => {
    const groups = ['ADMIN', 'admin ', '\uff21dmin'];
    expect(
      given(decide({ groups }, { rules: { same: { when: { groups: '*' }, grant: role('${match}') } }, privileged })),
    ).toBeUndefined();
  });

  it('is refused to the default', () => {
    const decision = decide({}, { default: { grant: role('Admin', 'Gamma') }, privileged });
    expect(given(decision)).toEqual(['role:Gamma by default']);
    expect(ruleOf(decision, 'default').refused).toHaveLength(1);
  });

  it('a permission counts on any workspace, on the named one, and on all of them', () => {
    const permissions = { sales: ['MANAGE', 'EDIT'], hr: ['EDIT'], '*': ['EDIT', 'VIEW'] };
    const decision = admin({ groups: 'bi-*' }, undefined, { gooddata: { permissions } });
    expect(given(decision, 'gooddata')).toEqual(['permission:EDIT@sales by admins', 'permission:VIEW@* by admins']);
  });

  it('leaves the rest of the rule standing', () => {
    expect(given(admin({ groups: 'bi-*' }, undefined, role('Admin', 'Alpha')))).toEqual(['role:Alpha by admins']);
  });
});
