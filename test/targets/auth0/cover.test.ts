import fc from 'fast-check';
import { fewestAssignments, type Pair } from '../../../src/targets/auth0/cover.ts';

const name = (prefix: string, most: number) => fc.integer({ min: 0, max: most }).map((number) => `${prefix}${number}`);
const graphs = fc.uniqueArray(fc.record({ user: name('u', 6), role: name('r', 4) }), {
  maxLength: 18,
  selector: ({ user, role }) => `${user} ${role}`,
});

const keyOf = ({ user, role }: Pair) => `${user} ${role}`;

function given(pairs: readonly Pair[]): string[] {
  return fewestAssignments(pairs).flatMap((call) =>
    call.by === 'role'
      ? call.users.map((user) => keyOf({ user, role: call.role }))
      : call.roles.map((role) => keyOf({ user: call.user, role })),
  );
}

/** The least number of users and roles that touch every pair, by trying every set of roles. */
function least(pairs: readonly Pair[]): number {
  const roles = [...new Set(pairs.map(({ role }) => role))];
  let best = Number.POSITIVE_INFINITY;
  for (let set = 0; set < 2 ** roles.length; set += 1) {
    const chosen = new Set(roles.filter((_, at) => (set & (1 << at)) !== 0));
    const users = new Set(pairs.filter(({ role }) => !chosen.has(role)).map(({ user }) => user));
    best = Math.min(best, chosen.size + users.size);
  }
  return best;
}

describe('calls that give roles', () => {
  it('give every pair once, and nothing else', () => {
    fc.assert(fc.property(graphs, (pairs) => expect(given(pairs).sort()).toEqual(pairs.map(keyOf).sort())));
  });

  it('are as few as there can be', () => {
    fc.assert(fc.property(graphs, (pairs) => expect(fewestAssignments(pairs)).toHaveLength(least(pairs))));
  });

  it('go by role where one role is for many, by user where one person gets many', () => {
    const many = Array.from({ length: 5 }, (_, at) => ({ user: `u${at}`, role: 'viewer' }));
    const lead = ['viewer', 'editor', 'admin'].map((role) => ({ user: 'lead', role }));
    expect(fewestAssignments([...many, ...lead])).toEqual([
      { by: 'user', user: 'lead', roles: ['editor', 'admin'] },
      { by: 'role', role: 'viewer', users: ['u0', 'u1', 'u2', 'u3', 'u4', 'lead'] },
    ]);
  });
});
