import { Refusal } from './refusal.ts';
import { type Attribute, attributeNamed, attributesOf, ENTERPRISE, type Kind, schemasOf } from './schema.ts';

/** A place in a resource (RFC 7644 §3.5.2): `emails[type eq "work"].value`, `urn:…:User:department`. */
export interface Path {
  /** The extension's URN, when the attribute is one of its own. */
  readonly extension: string | undefined;
  readonly attribute: Attribute;
  readonly filter: Filter | undefined;
  readonly sub: Attribute | undefined;
}

export type Filter = (value: unknown) => boolean;

type Complaint = 'invalidPath' | 'invalidFilter';

const PATH =
  /^(?<urn>urn:[A-Za-z0-9:._-]+:)?(?<name>[A-Za-z$][\w$-]*)(?:\[(?<filter>.*)\])?(?:\.(?<sub>[A-Za-z$][\w$-]*))?$/s;

/** @throws Refusal 400 `invalidPath`, or `invalidFilter` for what is in brackets */
export function parsePath(text: string, kind: Kind, complaint: Complaint = 'invalidPath'): Path {
  const { urn, name = '', filter, sub } = PATH.exec(text)?.groups ?? {};
  const schema = urn?.slice(0, -1) ?? schemasOf(kind)[0] ?? '';
  if (!schemasOf(kind).includes(schema)) throw new Refusal(400, `no schema ${schema}`, complaint);
  const attribute = attributeNamed(attributesOf(schema), name);
  if (attribute === undefined) throw new Refusal(400, `no attribute ${text}`, complaint);
  const subAttribute = sub === undefined ? undefined : attributeNamed(attribute.subAttributes, sub);
  if (sub !== undefined && subAttribute === undefined) throw new Refusal(400, `no attribute ${text}`, complaint);
  if (filter !== undefined && !attribute.multiValued) throw new Refusal(400, `${name} has one value`, complaint);
  return {
    extension: schema === ENTERPRISE ? schema : undefined,
    attribute,
    filter: filter === undefined ? undefined : parseFilter(filter, (inner) => valuePath(inner, attribute)),
    sub: subAttribute,
  };
}

/** The filter of a list. @throws Refusal 400 `invalidFilter` */
export function listFilter(text: string, kind: Kind): Filter {
  return parseFilter(text, (name) => {
    const { extension, attribute, filter, sub } = parsePath(name, kind, 'invalidFilter');
    if (attribute.mutability === 'writeOnly') throw new Refusal(403, 'it is not for filters', 'sensitive');
    const leaf = sub ?? (attribute.type === 'complex' ? attributeNamed(attribute.subAttributes, 'value') : attribute);
    if (leaf === undefined) throw new Refusal(400, `${name} has no value`, 'invalidFilter');
    return {
      leaf,
      valuesIn: (resource) => {
        const outer = extension === undefined ? resource : memberOf(resource, extension);
        const items = listOf(memberOf(outer, attribute.name)).filter((item) => filter?.(item) ?? true);
        return attribute.type === 'complex' ? items.map((item) => memberOf(item, leaf.name)) : items;
      },
    };
  });
}

interface Operand {
  readonly leaf: Attribute;
  readonly valuesIn: (value: unknown) => readonly unknown[];
}

function valuePath(name: string, { subAttributes }: Attribute): Operand {
  const leaf = attributeNamed(subAttributes, name);
  if (leaf === undefined) throw new Refusal(400, `no attribute ${name}`, 'invalidFilter');
  return { leaf, valuesIn: (item) => [memberOf(item, leaf.name)] };
}

const TERM =
  /^\s*(?<name>[^\s[]+(?:\[.*?\](?:\.\w+)?)?)\s+(?:(?<pr>pr)|(?<op>eq|ne|co|sw|ew)\s+(?<value>"(?:[^"\\]|\\.)*"|true|false|null|-?\d+))\s*/i;

/** Terms joined by `and`, those joined by `or`: all that a client of ours may ask. Nothing else is taken. */
function parseFilter(text: string, operand: (name: string) => Operand): Filter {
  const any: Filter[][] = [[]];
  let rest = text;
  for (;;) {
    const term = TERM.exec(rest);
    if (term === null) throw new Refusal(400, `not a filter: ${text}`, 'invalidFilter');
    any.at(-1)?.push(compileTerm(term.groups ?? {}, operand));
    rest = rest.slice(term[0].length);
    if (rest === '') break;
    const joint = /^(and|or)\s/i.exec(rest);
    if (joint === null) throw new Refusal(400, `not a filter: ${text}`, 'invalidFilter');
    if (joint[1]?.toLowerCase() === 'or') any.push([]);
    rest = rest.slice(joint[0].length);
  }
  return (value) => any.some((all) => all.every((term) => term(value)));
}

function compileTerm(groups: Readonly<Record<string, string | undefined>>, operand: (name: string) => Operand): Filter {
  const { leaf, valuesIn } = operand(groups['name'] ?? '');
  if (groups['pr'] !== undefined) return (value) => valuesIn(value).some((one) => one !== undefined);
  const wanted = parseLiteral(groups['value'] ?? '');
  const isText = leaf.type === 'string' || leaf.type === 'reference';
  if (wanted !== null && typeof wanted !== (isText ? 'string' : leaf.type)) {
    throw new Refusal(400, `${leaf.name} is not compared with that`, 'invalidFilter');
  }
  const fold = (value: unknown) => (typeof value === 'string' && !leaf.caseExact ? value.toLowerCase() : value);
  const right = fold(wanted);
  const compare = (value: unknown): boolean => {
    const left = fold(value);
    switch (groups['op']?.toLowerCase()) {
      case 'eq':
        return left === right;
      case 'co':
        return typeof left === 'string' && left.includes(String(right));
      case 'sw':
        return typeof left === 'string' && left.startsWith(String(right));
      case 'ew':
        return typeof left === 'string' && left.endsWith(String(right));
      default:
        return left !== right;
    }
  };
  return (value) => valuesIn(value).some(compare);
}

function parseLiteral(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, `not a value: ${text}`, 'invalidFilter');
  }
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : [value];
}
