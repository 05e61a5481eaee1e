import fc from 'fast-check';
import { type Literal, leavesOf } from '../../src/import/literals.ts';
import { readPython } from '../../src/import/python.ts';
import { readRolePath } from '../../src/import/role-path.ts';
import { checked, importGrafana, importOauth2Proxy, importSuperset, inputOf, inputs } from './examples.ts';

function plain(value: Literal): unknown {
  if (value.kind === 'scalar') return value.value;
  if (value.kind === 'list') return value.items.map(plain);
  if (value.kind === 'map') return Object.fromEntries(value.entries.map((entry) => [entry.key, plain(entry.value)]));
  if (value.kind === 'env')
    return { env: value.name, ...(value.fallback === undefined ? {} : { fallback: value.fallback }) };
  return value.kind;
}

const python = (text: string): unknown => readPython(text).map(({ name, line, value }) => [name, line, plain(value)]);

describe('a file of Python', () => {
  it.each<[string, string, unknown]>([
    [
      'numbers and constants',
      'A = -1_000\nB = 1.5\nC = True; D = None',
      [
        ['A', 1, -1000],
        ['B', 2, 1.5],
        ['C', 3, true],
        ['D', 3, null],
      ],
    ],
    [
      'texts in every quotation',
      `A = 'it''s' "x" r'\\d' """a\nb"""\nB = '\\x41\\u00e4\\n'`,
      [
        ['A', 1, 'itsx\\da\nb'],
        ['B', 3, 'Aä\n'],
      ],
    ],
    [
      'lists, tuples and maps over lines',
      'A = [1,\n  (2, 3), {"k": ("v",)},  # said\n]\nB = ("x")',
      [
        ['A', 1, [1, [2, 3], { k: ['v'] }]],
        ['B', 4, 'x'],
      ],
    ],
    ['calls of dict', 'A = dict(a=1, b=dict(c=[2]))', [['A', 1, { a: 1, b: { c: [2] } }]]],
    [
      'the environment',
      'A = os.environ["X"]\nB = os.getenv("Y", "z")\nC = env("Z")',
      [
        ['A', 1, { env: 'X' }],
        ['B', 2, { env: 'Y', fallback: 'z' }],
        ['C', 3, { env: 'Z' }],
      ],
    ],
    [
      'names that were given before',
      'X = "v"\nA = [X]',
      [
        ['X', 1, 'v'],
        ['A', 2, ['v']],
      ],
    ],
    ['annotations', 'A: list[str] = ["x"]', [['A', 1, ['x']]]],
    [
      'a backslash that goes on',
      'A = "x" \\\n  "y"\nB = 1',
      [
        ['A', 1, 'xy'],
        ['B', 3, 1],
      ],
    ],
    [
      'what only Python can tell',
      'A = f"{x}"\nB = x + 1\nC = f()\nD = [1 if x else 2, 3]\nE = 1 +',
      [
        ['A', 1, 'code'],
        ['B', 2, 'code'],
        ['C', 3, 'code'],
        ['D', 4, ['code', 3]],
        ['E', 5, 'code'],
      ],
    ],
    [
      'a sum of texts',
      'A = "x" + y\nB = "a" "b".lower()',
      [
        ['A', 1, 'code'],
        ['B', 2, 'code'],
      ],
    ],
    [
      'what is in a block',
      'if x:\n    A = 1\nif y: B = 2',
      [
        ['A (in a block)', 2, 'code'],
        ['B (in a block)', 3, 'code'],
      ],
    ],
    [
      'changes of what was given',
      'A["x"] = 1\nA.update(x=1)\nA += [1]',
      [
        ['A [x]', 1, 'code'],
        ['A .update', 2, 'code'],
        ['A +=', 3, 'code'],
      ],
    ],
    [
      'classes and other files',
      'class X(Y):\n  def f(self): pass\nfrom a.b import *',
      [
        ['class X', 1, 'code'],
        ['def f (in a block)', 2, 'code'],
        ['from a.b import *', 3, 'code'],
      ],
    ],
    ['comments and text that looks like options', '# A = 1\n"""\nB = 2\n"""\nC = "# no" # yes', [['C', 5, '# no']]],
    ['what nobody closed', 'A = [1, (2, {"x": \nB = 3', [['A', 1, 'code']]],
  ])('%s', (_, text, expected) => {
    expect(python(text)).toEqual(expected);
  });

  it('of any text is read to its end, and nothing of it is run', () => {
    const words = fc.constantFrom(
      'A',
      '=',
      '[',
      ']',
      '(',
      ')',
      '{',
      '}',
      ':',
      ',',
      '"x"',
      "'",
      '"""',
      '\\',
      '\n',
      ' ',
      'dict',
      'os',
      '.',
      'environ',
      '#',
      '1',
      '-',
      'f"{a}"',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 40 }), (parts) => {
        for (const option of readPython(parts.join('')).flatMap(leavesOf)) expect(option.line).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });

  it('as deep as one likes does not end the process', () => {
    expect(python(`A = ${'['.repeat(50_000)}`)).toHaveLength(1);
    expect(python(`A = ${'{"k": '.repeat(50_000)}`)).toHaveLength(1);
  });
});

describe('an option that is set more than once', () => {
  const mapping = (more: string) =>
    importSuperset(`AUTH_ROLES_MAPPING = {"a": ["Alpha"]}\nAUTH_USER_REGISTRATION = False\n${more}`, 'a.py');

  it('is what the last line says', () => {
    const made = mapping('AUTH_ROLES_MAPPING = {"b": ["Beta"]}');
    expect(Object.keys(checked(made).config?.rules ?? {})).toEqual(['b']);
    expect(made).toContain('line 1: AUTH_ROLES_MAPPING (overwritten) (aside)');
    const byCode = mapping('AUTH_ROLES_MAPPING = load()');
    expect(checked(byCode).config?.rules).toEqual({});
    expect(byCode).toContain('line 3: AUTH_ROLES_MAPPING (left)');
  });

  it('in a block too, is for people to look at', () => {
    const made = mapping('if x:\n  AUTH_ROLES_MAPPING = {"b": ["Admin"]}');
    expect(Object.keys(checked(made).config?.rules ?? {})).toEqual([]);
    expect(made).toContain('line 4: AUTH_ROLES_MAPPING (in a block) (left)');
  });
});

describe('an expression for a role', () => {
  it.each([
    "length(groups) > `0` && 'A'",
    "groups[0] == 'a' && 'A'",
    "!contains(groups, 'a') && 'A'",
    "contains(groups, a) && 'A'",
    "contains(groups, 'a')",
    "contains(groups, 'a') && '' || 'B'",
    "contains(groups, 'a') && ",
    "'A' || ",
    "'A' 'B'",
    '',
    '(((',
  ])('of another shape is not guessed at: %s', (expression) => {
    expect(readRolePath(expression)).toBeUndefined();
  });

  it('may be in parentheses, and on several lines', () => {
    expect(
      readRolePath("(contains(groups[*], 'a') && 'A') ||\n (contains(groups[*], 'b') && 'B') || 'C'"),
    ).toHaveLength(3);
  });

  it('as long or deep as one likes is given up', () => {
    expect(readRolePath(`${'('.repeat(1_900)}'A'`)).toBeUndefined();
    const either = "(contains(groups, 'a') || contains(groups, 'b'))";
    expect(readRolePath(`${Array(30).fill(either).join(' && ')} && 'A'`)).toBeUndefined();
  });
});

it('variables of Grafana are options too, in whatever form they stand', () => {
  const lines = [
    'GF_AUTH_GENERIC_OAUTH_ENABLED=true',
    '      - GF_AUTH_GENERIC_OAUTH_CLIENT_ID=bi',
    '      GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET: ${GRAFANA_SECRET}',
    'export GF_SERVER_ROOT_URL="https://bi.acme.test/"',
    'GF_NEW_THING=1',
  ];
  const made = importGrafana(lines.join('\n'), 'grafana.env');
  expect(checked(made).config).toMatchObject({
    public_url: 'https://bi.acme.test',
    login: { generic_oauth: { client_id: 'bi' } },
  });
  expect(made).toContain('client_secret: ${GRAFANA_SECRET}');
  expect(made).toContain('line 5: GF_NEW_THING');
});

describe('whatever a file holds', () => {
  const all = [importSuperset, importGrafana, importOauth2Proxy];

  it('options that nobody knows are named with their line', () => {
    expect(importSuperset('AUTH_NEW = 1\nX = 2', 'a.py')).toMatch(
      /# line 1: AUTH_NEW \(left\).*\n# line 2: X \(aside\)/,
    );
    expect(importSuperset('AUTH_ROLES_MAPPING |= x', 'a.py')).toContain(
      'AUTH_ROLES_MAPPING |= (left): changed by code',
    );
    expect(importGrafana('[auth.okta]\nenabled = true\nclient_id = x\nnew = 1', 'a.ini')).toContain(
      '# line 4: auth.okta.new (left)',
    );
    expect(importOauth2Proxy('new_one = "x"', 'a.cfg')).toContain('# line 1: new_one (left)');
  });

  it('nothing of it ends a comment, or becomes a key of ours', () => {
    const evil = 'x\ntargets: {}';
    const made = [
      importSuperset(`AUTH_ROLES_MAPPING = {${JSON.stringify(evil)}: 1}`, `a\nrules: {}`),
      importGrafana(`[auth.\u2028x]\nk\u0085y = 1`, 'a.ini'),
      importOauth2Proxy(`${JSON.stringify(evil)} = 1`, 'a.cfg'),
    ];
    for (const text of made) {
      expect(checked(text).complaints).toEqual([]);
      expect(text.match(/^targets:/gm)).toHaveLength(1);
    }
  });

  it('a variable of theirs is none of ours', () => {
    const made = importSuperset('AUTH_ROLES_MAPPING = {"${HOME}": ["Gamma"], "b": ["${HOME}"]}', 'a.py');
    expect(checked(made).config?.rules['HOME']?.when).toEqual({ groups: ['${HOME}'] });
    expect(made).toContain('b (left)');
  });

  it('cut off anywhere it still becomes a configuration without complaints', () => {
    for (const file of inputs.filter((name) => !/^oauth2-proxy|\.yaml$/.test(name))) {
      const text = inputOf(file);
      const importer = file.startsWith('grafana') ? importGrafana : importSuperset;
      // Before its first section it is not known for a file of Grafana.
      const from = file.startsWith('grafana') ? text.indexOf(']') + 1 : 0;
      for (let at = from; at < text.length; at += 61)
        expect(checked(importer(text.slice(0, at), file)).complaints).toEqual([]);
    }
  });

  it('an address with a password in it is not copied', () => {
    const address = 'https://user:NobodyMaySee@id.example.com';
    const app = `{"server_metadata_url": "${address}/.well-known/openid-configuration", "api_base_url": "${address}/realms/a/protocol/openid-connect"}`;
    const made = [
      importSuperset(`AUTH_TYPE = AUTH_OAUTH\nOAUTH_PROVIDERS = [{"name": "a", "remote_app": ${app}}]`, 'a.py'),
      importGrafana(
        `[auth.generic_oauth]\nenabled = true\nauth_url = ${address}/realms/a/protocol/openid-connect/auth`,
        'a.ini',
      ),
      importGrafana(`[auth.saml]\nenabled = true\nidp_metadata_url = ${address}/metadata`, 'a.ini'),
      importOauth2Proxy(
        `oidc_issuer_url = "${address}"\nupstreams = ["${address}/x"]\nredis_connection_url = "redis://:NobodyMaySee@redis"\nsession_store_type = "redis"\nredirect_url = "${address}/oauth2/callback"`,
        'a.cfg',
      ),
    ];
    for (const text of made) {
      expect(text).not.toContain('NobodyMaySee');
      expect(checked(text).complaints).toEqual([]);
    }
  });

  it('an empty file becomes one with everything to do', () => {
    for (const importer of all) {
      expect(checked(importer('', 'empty')).complaints).toEqual([]);
      expect(importer('', 'empty')).toContain('# TO DO');
    }
  });
});
