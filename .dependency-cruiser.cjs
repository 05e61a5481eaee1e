/*
 * The arrows of docs/architecture.md:
 * cli -> compose -> proxy, login, scim, sync -> provisioning, mapping -> targets, sources, directory, session -> ops -> model
 */
const room = (names) => `^src/(${names})(/|\\.ts$)`;
const schemas = '^src/(?!cli/)[a-z0-9/]+/schema\\.ts$';

/** `from` may import these rooms and its own; every schema.ts may be read for its types, and by schema.ts files. */
const only = (from, allowed) => ({
  name: `${from}-imports`,
  comment: `${from} may import ${allowed.join(', ')}`,
  severity: 'error',
  from: { path: room(from), pathNot: schemas },
  to: { path: '^src/', pathNot: [room([from, ...allowed].join('|')), schemas] },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: '^src/main\\.ts$' },
      to: {},
    },
    { name: 'model-imports-nothing', severity: 'error', from: { path: '^src/model/' }, to: { pathNot: '^src/model/' } },
    only('ops', ['model']),
    only('mapping', ['model']),
    only('directory', ['ops', 'model']),
    only('audit', ['directory', 'ops', 'model']),
    only('session', ['directory', 'ops', 'model']),
    only('targets', ['ops', 'model']),
    only('sources', ['ops', 'model']),
    only('drift', ['sync', 'provisioning', 'mapping', 'targets', 'directory', 'audit', 'ops', 'model']),
    only('sync', ['provisioning', 'mapping', 'sources', 'targets', 'directory', 'audit', 'session', 'ops', 'model']),
    only('provisioning', ['mapping', 'targets', 'directory', 'audit', 'session', 'ops', 'model']),
    only('review', ['sync', 'provisioning', 'mapping', 'directory', 'audit', 'ops', 'model']),
    only('preview', ['provisioning', 'mapping', 'targets', 'directory', 'ops', 'model']),
    only('scim', ['provisioning', 'mapping', 'directory', 'audit', 'session', 'ops', 'model']),
    only('login', ['provisioning', 'mapping', 'directory', 'session', 'ops', 'model']),
    only('proxy', ['provisioning', 'mapping', 'targets', 'session', 'ops', 'model']),
    only('console', [
      'drift',
      'review',
      'sync',
      'provisioning',
      'mapping',
      'login',
      'directory',
      'audit',
      'session',
      'ops',
      'model',
    ]),
    only('config', ['mapping', 'ops', 'model']),
    only('import', ['model']),
    {
      name: 'scim-protocol-is-pure',
      comment: 'what RFC 7643 and 7644 say, as functions of values: no storage, no HTTP, no engine',
      severity: 'error',
      from: { path: '^src/scim/protocol/' },
      to: { path: '^src/', pathNot: ['^src/scim/protocol/', '^src/ops/scim/', '^src/model/'] },
    },
    {
      name: 'schemas-import-schemas',
      severity: 'error',
      from: { path: schemas },
      to: { path: '^src/', pathNot: [schemas, '^src/config/values\\.ts$', '^src/model/'] },
    },
    {
      name: 'pure-core',
      comment:
        'no clock, random, network or environment in the mapping, the SCIM protocol and the pure files of provisioning',
      severity: 'error',
      from: {
        path: [
          '^src/mapping/',
          '^src/scim/protocol/',
          '^src/ops/scim/',
          '^src/provisioning/(correlate|plan|plan-profile|leaver|rows|record|outcome|heard)\\.ts$',
        ],
      },
      to: { dependencyTypes: ['core', 'npm'], pathNot: ['node_modules/(re2js|zod)/'] },
    },
    {
      name: 'only-compose-knows-all',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(compose|main)\\.ts$', '^src/(compose|cli)/'] },
      to: { path: ['^src/(compose|main)\\.ts$', '^src/(compose|cli)/'] },
    },
    { name: 'not-to-test', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|demo|bench|scripts)/' } },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
