import { compileNamable } from '../../src/mapping/namable.ts';
import { configOf } from './config-of.ts';

const isNamable = compileNamable(
  configOf({
    rules: {
      analysts: { when: { groups: 'analytics' }, grant: { superset: { roles: ['Alpha'] } } },
      same: { when: { groups: ['bi-*', 'Sales (EU)'] }, grant: { gooddata: { groups: ['${match}'] } } },
      teams: {
        when: { groups: '~company/(?<team>[a-z()\\]0-9-]+)/(?<level>viewer|editor)' },
        grant: {
          superset: { roles: ['${team}_${level}'] },
          gooddata: { permissions: { '${team}': 'VIEW' } },
        },
      },
      loud: { when: { groups: '~(?i)loud-(?<x>[a-z]+)' }, grant: { superset: { groups: ['loud ${x}'] } } },
      admins: { when: { groups: 'admins' }, grant: { superset: { roles: ['Admin'] } } },
      any: { when: { title: '*' }, grant: { superset: { roles: ['${match}!'] } } },
    },
    default: { grant: { superset: { roles: ['Gamma'] } } },
    privileged: ['superset:role:Admin', 'gooddata:group:bi-root'],
  }),
);

it.each([
  ['superset', { kind: 'role', name: 'Alpha' }, true],
  ['superset', { kind: 'group', name: 'Alpha' }, false],
  ['superset', { kind: 'role', name: 'Alphab' }, false],
  ['gooddata', { kind: 'role', name: 'Alpha' }, false],
  ['superset', { kind: 'role', name: 'Gamma' }, true],
  ['superset', { kind: 'role', name: 'Admin' }, true],
  ['gooddata', { kind: 'group', name: 'bi-sales' }, true],
  ['gooddata', { kind: 'group', name: 'bi-root' }, false],
  ['gooddata', { kind: 'group', name: 'finance' }, false],
  ['gooddata', { kind: 'group', name: 'Sales-EU-1a2b3c4d', label: 'Sales (EU)' }, true],
  ['gooddata', { kind: 'group', name: 'Sales EU' }, false],
  ['superset', { kind: 'role', name: 'sales_viewer' }, true],
  ['superset', { kind: 'role', name: 'sales_owner' }, false],
  ['superset', { kind: 'role', name: 'Sales_viewer' }, false],
  ['gooddata', { kind: 'permission', name: 'VIEW', scope: 'sales-1' }, true],
  ['gooddata', { kind: 'permission', name: 'MANAGE', scope: 'sales-1' }, false],
  ['gooddata', { kind: 'permission', name: 'VIEW', scope: 'Sales 1' }, false],
  ['gooddata', { kind: 'permission', name: 'VIEW' }, false],
  ['superset', { kind: 'group', name: 'loud ABC' }, true],
  ['superset', { kind: 'group', name: 'loud 1' }, false],
  ['superset', { kind: 'role', name: 'Clerk!' }, true],
  ['superset', { kind: 'role', name: 'Clerk' }, false],
  ['nowhere', { kind: 'role', name: 'Alpha' }, false],
] as const)('in %s %j: %s', (target, entitlement, expected) => {
  expect(isNamable(target, entitlement)).toBe(expected);
});
