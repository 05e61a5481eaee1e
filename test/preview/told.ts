import { compilePrivileged } from '../../src/mapping/privileged.ts';
import type { Preview } from '../../src/preview/outcome.ts';
import type { Side } from '../../src/preview/side.ts';
import { MemoryTarget } from '../provisioning/memory-target.ts';
import { mappingOf, type World, type WorldOptions } from '../provisioning/world.ts';

export function side(options: WorldOptions): Side {
  const target = (known: MemoryTarget) => ({
    known,
    missing: { users: 'create', groups: 'create', roles: 'refuse' } as const,
    fingerprint: options.leaver ?? '',
  });
  return {
    mapping: mappingOf(options),
    targets: new Map([
      ['bi', target(new MemoryTarget('bi', { creates: ['group'], needsEntitlement: true }))],
      ['side', target(new MemoryTarget('side'))],
    ]),
    leaver: { now: options.leaver ?? 'disable' },
    neverTouch: () => false,
    isPrivileged: compilePrivileged(['bi:role:Admin']),
    reaches: () => true,
  };
}

/** What the two targets have, a line a fact: `bi ann on`, `bi ann role:Alpha`. */
export function facts({ bi, side }: World): string[] {
  return [bi, side].flatMap((target) =>
    [...target.accounts.values()].flatMap(({ userName, active }) => [
      `${target.name} ${userName} account`,
      ...(active ? [`${target.name} ${userName} on`] : []),
      ...target.given(userName).map((key) => `${target.name} ${userName} ${key}`),
    ]),
  );
}

/** The same of a preview: what is there afterwards and was not, or the reverse. */
export function foretold({ people }: Preview): string[] {
  return people
    .flatMap(({ email, changes }) =>
      changes.flatMap(({ op, target, entitlement }) => {
        const who = `${target} ${email?.replace('@acme.test', '')}`;
        if (op === 'grant') return [`+ ${who} ${entitlement?.kind}:${entitlement?.name}`];
        if (op === 'revoke') return [`- ${who} ${entitlement?.kind}:${entitlement?.name}`];
        if (op === 'create') return [`+ ${who} account`, `+ ${who} on`];
        if (op === 'open') return [`+ ${who} on`];
        if (op === 'delete') return [`- ${who} account`];
        return op === 'close' ? [`- ${who} on`] : [];
      }),
    )
    .sort();
}

/** From one set of facts to another; an account that goes takes everything with it. */
export function moved(before: readonly string[], after: readonly string[]): string[] {
  const lines = [
    ...after.filter((fact) => !before.includes(fact)).map((fact) => `+ ${fact}`),
    ...before.filter((fact) => !after.includes(fact)).map((fact) => `- ${fact}`),
  ];
  const gone = lines.filter((line) => line.startsWith('- ') && line.endsWith(' account'));
  const isOfGone = (line: string): boolean =>
    gone.some((account) => line !== account && line.startsWith(account.replace(/account$/, '')));
  return lines.filter((line) => !isOfGone(line)).sort();
}
