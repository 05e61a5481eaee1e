import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { type Comparison, type Filter, foldCase } from '../protocol/filter.ts';

/** A filter as far as the database can look at it. */
export interface Condition {
  /** Holds for every resource that the filter fits, and perhaps for others. */
  readonly where: RawBuilder<SqlBool>;
  /** Whether it holds for no others. */
  readonly isExact: boolean;
}

/** What the indexes of a table know of one comparison with `eq`. */
type Leaf = (name: string, value: Comparison['value'], client: string) => RawBuilder<SqlBool> | undefined;

/** undefined: every user of the client has to be looked at. */
export function userCondition(filter: Filter, client: string): Condition | undefined {
  return combined(filter, client, userLeaf);
}

/** The same for groups. */
export function groupCondition(filter: Filter, client: string): Condition | undefined {
  return combined(filter, client, groupLeaf);
}

const userLeaf: Leaf = (name, value, client) => {
  if (name === 'active' && value === false) return sql`active = 0`;
  if (typeof value !== 'string') return undefined;
  switch (name) {
    case 'userName':
      return sql`user_name = ${foldCase(value)}`;
    case 'externalId':
      // No row has an empty one, though a resource may.
      return value === '' ? undefined : sql`external_id = ${value}`;
    case 'id':
      return sql`id = ${value}`;
    case 'emails.value':
      return sql`id in (select user_id from scim_emails where client = ${client} and email = ${foldCase(value)})`;
    default:
      return undefined;
  }
};

const groupLeaf: Leaf = (name, value, client) => {
  if (typeof value !== 'string') return undefined;
  switch (name) {
    case 'displayName':
      return sql`name_key = ${foldCase(value)}`;
    case 'externalId':
      // No row has an empty one, though a resource may.
      return value === '' ? undefined : sql`external_id = ${value}`;
    case 'id':
      return sql`id = ${value}`;
    case 'members.value':
      return sql`id in (select group_id from scim_members where client = ${client} and member_id = ${value})`;
    default:
      return undefined;
  }
};

function combined(filter: Filter, client: string, leaf: Leaf): Condition | undefined {
  switch (filter.kind) {
    case 'compare': {
      const where = filter.operator === 'eq' ? leaf(filter.path.name, filter.value, client) : undefined;
      return where === undefined ? undefined : { where, isExact: true };
    }
    case 'constant':
      return { where: filter.value ? sql`1 = 1` : sql`1 = 0`, isExact: true };
    case 'and': {
      const known = partsOf(filter.operands, client, leaf);
      if (known.length === 0) return undefined;
      const isExact = known.length === filter.operands.length && known.every((part) => part.isExact);
      return { where: joined(known, sql` and `), isExact };
    }
    case 'or': {
      const known = partsOf(filter.operands, client, leaf);
      if (known.length < filter.operands.length) return undefined;
      return { where: joined(known, sql` or `), isExact: known.every((part) => part.isExact) };
    }
    case 'values': {
      // One value has to fit all of it: rows that have one for a part of it are those to look at.
      const { name } = filter.path;
      const part = combined(filter.filter, client, (sub, value, of) => leaf(`${name}.${sub}`, value, of));
      return part === undefined ? undefined : { ...part, isExact: false };
    }
    default:
      return undefined;
  }
}

function partsOf(operands: readonly Filter[], client: string, leaf: Leaf): readonly Condition[] {
  return operands.map((operand) => combined(operand, client, leaf)).filter((part) => part !== undefined);
}

function joined(parts: readonly Condition[], by: RawBuilder<unknown>): RawBuilder<SqlBool> {
  return sql`(${sql.join(
    parts.map(({ where }) => where),
    by,
  )})`;
}
