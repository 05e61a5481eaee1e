import type { ActualEntitlement, Entitlement } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import { cut } from '../names.ts';
import { PAGE_SIZE, parseBody, type SupersetApi } from './api.ts';
import { MAX_LABEL, namedRecord, type RoleOrGroup, toEntitlement } from './documents.ts';

/** Of the names in one request, percent-encoded: gunicorn refuses request lines over 4,094 bytes. */
const MAX_QUERY = 2_500;
const MAX_NAMES = 50;
const MAX_PAGES = 20;
const RESOURCES = { role: 'roles', group: 'groups' } as const;
const COLUMNS = ['id', 'name'] as const;

/** Roles and groups of one Superset, by their exact names. */
export interface SupersetEntitlements {
  /** Which of these are there. */
  find(wanted: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  /** Makes them, empty. One that is there already is fine. Throws `target_unavailable` when one could not be made. */
  create(missing: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
}

export function createEntitlements(api: SupersetApi): SupersetEntitlements {
  const listNames = async (kind: RoleOrGroup, names: readonly string[], signal: AbortSignal) => {
    const found: ActualEntitlement[] = [];
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const filters = [{ col: 'name', opr: 'in', value: names }] as const;
      const { rows } = await api.list({ resource: RESOURCES[kind], filters, columns: COLUMNS, page }, signal);
      found.push(...rows.map((row) => toEntitlement(kind, parseBody(namedRecord, row))));
      if (rows.length < PAGE_SIZE) break;
    }
    return found.filter(({ name }) => names.includes(name));
  };

  const listAll = async (kind: RoleOrGroup, names: readonly string[], signal: AbortSignal) => {
    const found: ActualEntitlement[] = [];
    for (const chunk of chunks(names)) found.push(...(await listNames(kind, chunk, signal)));
    return found;
  };

  const findKind = async (kind: RoleOrGroup, wanted: readonly Entitlement[], signal: AbortSignal) => {
    const names = [...new Set(wanted.filter((one) => one.kind === kind).map(({ name }) => name))];
    const found = await listAll(kind, names, signal);
    const there = new Set(found.map(({ name }) => name));
    // What is missing would be refused to a person, and an answer can have got mixed up with another client's: asked twice.
    const missing = names.filter((name) => !there.has(name));
    const second = await listAll(kind, missing, signal);
    return [...new Map([...found, ...second].map((one) => [one.id, one])).values()];
  };

  const find = async (wanted: readonly Entitlement[], signal: AbortSignal) =>
    (await Promise.all([findKind('role', wanted, signal), findKind('group', wanted, signal)])).flat();

  return {
    find,
    create: async (missing, signal) => {
      for (const { kind, name, label } of missing) {
        const isGroup = kind === 'group';
        const body = { name, ...(isGroup && label !== undefined ? { label: cut(label, MAX_LABEL) } : {}) };
        const path = isGroup ? ('groups/' as const) : ('roles/' as const);
        // A group that is there is 422, a role that is there is 500: which of them it is, is seen by looking.
        await api.call({ method: 'POST', path, body, signal }, [201, 400, 422, 500]);
      }
      const made = await find(missing, signal);
      if (new Set(made.map(({ id }) => id)).size >= new Set(missing.map(({ kind, name }) => `${kind}:${name}`)).size) {
        return made;
      }
      throw new LatchgateError('target_unavailable', 'Superset did not make a role or group', {
        detail: { wanted: missing.length, made: made.length },
      });
    },
  };
}

/** Lists that each fit into the address of one request. */
function chunks(names: readonly string[]): readonly (readonly string[])[] {
  const lists: string[][] = [];
  let length = 0;
  for (const name of names) {
    const size = encodeURIComponent(name).length + 9;
    const last = lists.at(-1);
    if (last !== undefined && last.length < MAX_NAMES && length + size <= MAX_QUERY) {
      last.push(name);
      length += size;
    } else {
      lists.push([name]);
      length = size;
    }
  }
  return lists;
}
