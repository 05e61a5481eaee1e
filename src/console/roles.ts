import { compileCondition, matchesCondition } from '../mapping/conditions.ts';
import type { Identity } from '../model/person.ts';
import type { OperatorsConfig } from './schema.ts';

export type Role = 'viewer' | 'operator';

/** Which role somebody has, as a login describes them; undefined: none. Whoever has both is an operator. */
export type RoleOf = (identity: Pick<Identity, 'groups' | 'attributes' | 'origin'>) => Role | undefined;

/** Throws `config_invalid` for a bad regular expression. */
export function compileRoles({ viewer, operator }: Pick<OperatorsConfig, Role>): RoleOf {
  const conditions = (
    [
      ['operator', operator],
      ['viewer', viewer],
    ] as const
  ).flatMap(([role, entry]) => (entry === undefined ? [] : [{ role, condition: compileCondition(entry.when) }]));
  return (identity) => conditions.find(({ condition }) => matchesCondition(condition, identity))?.role;
}
