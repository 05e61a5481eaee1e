import { type Attribute, isObject, listOf, type ScimObject, type ScimValue } from './attribute.ts';
import { type AttributePath, pathOf, resolveName } from './attribute-path.ts';
import { ScimError } from './error.ts';
import { compileFilter, type Test } from './evaluate.ts';
import { type Filter, termsOf } from './filter.ts';
import { isJsonObject, type JsonObject, membersOf } from './json.ts';
import { MembersDraft, memberIsFixed, readMembers } from './members.ts';
import { type PatchPath, parsePatchPath } from './patch-path.ts';
import { addValues, changeValues, describedBy, fitsOneOf } from './plural.ts';
import type { Report } from './report.ts';
import type { ResourceType } from './resource-types.ts';
import { invalid, mergeComplex, put, readSimple, readValues, unwrapList } from './value.ts';

export type PatchOp = 'add' | 'replace' | 'remove';

/** Values looked at by the operations of one request, before it is refused as too large. */
const MAX_STEPS = 50_000;
/** What it is to change a value, in looks at one. */
const STEPS_OF_CHANGE = 10;

/**
 * A resource while a request changes it: the one way for POST, PUT, PATCH and Bulk. What was there is copied, never
 * written to.
 */
export class Draft {
  readonly #type: ResourceType;
  readonly #report: Report;
  readonly #values: Record<string, ScimValue>;
  #members: MembersDraft | undefined;
  #steps = 0;

  constructor(type: ResourceType, attributes: ScimObject, report: Report) {
    this.#type = type;
    this.#report = report;
    this.#values = { ...attributes };
  }

  get attributes(): ScimObject {
    return this.#values;
  }

  /** Undefined: nothing was said about members. */
  get members(): MembersDraft | undefined {
    return this.#members;
  }

  /**
   * The attributes of an object, each by its name, its URN, or a path as dialects write them into names. Unknown and
   * read-only ones are reported and left out. `of`: the schema that the object was the value of.
   */
  assignAll(op: 'add' | 'replace', json: JsonObject, of?: { readonly extension: string | undefined }): void {
    for (const { name, value } of membersOf(json, 'the resource').values()) {
      const path = this.#pathOfName(name, of);
      // A client that writes null for what it does not say would else empty every group that it renames.
      if (value === null && path?.kind === 'attribute' && isMembers(path.path.attribute)) continue;
      if (path === undefined)
        this.#report.add(of?.extension === undefined ? name : `${of.extension}:${name}`, 'unknown');
      else this.assign(op, path, value, 'report');
    }
  }

  #pathOfName(name: string, of: { readonly extension: string | undefined } | undefined): PatchPath | undefined {
    const filterAt = name.indexOf('[');
    const head = filterAt < 0 ? name : name.slice(0, filterAt);
    const named = resolveName(this.#type, of === undefined ? head : `${of.extension ?? this.#type.schema.id}:${head}`);
    if (head !== name) return named === undefined || of !== undefined ? undefined : parsePatchPath(this.#type, name);
    return named?.kind === 'attribute' ? { ...named, filter: undefined } : named;
  }

  /** `readOnly`: whether a read-only attribute is an error, or is reported and left out. */
  assign(op: 'add' | 'replace', target: PatchPath, json: unknown, readOnly: 'refuse' | 'report'): void {
    if (target.kind === 'schema') {
      if (json === null) this.#removeSchema(target.extension);
      else if (isJsonObject(json)) this.assignAll(op, json, target);
      else throw invalid(target.extension ?? this.#type.schema.id, 'is not an object');
      return;
    }
    const { path, filter } = target;
    if (this.#isNotKept(path, readOnly, json)) return;
    if (isMembers(path.attribute)) this.#assignMembers(op, target, json);
    else if (json === null && !(op === 'add' && path.attribute.multiValued)) this.remove(target, undefined);
    else if (path.attribute.multiValued) this.#assignPlural(op, path, filter, json);
    else if (path.attribute.type === 'complex') this.#assignComplex(path, filter, json);
    else this.#set(path, readSimple(path.attribute, json, path.name));
  }

  /** `json`: the value of the operation, by which dialects say which values go. */
  remove(target: PatchPath, json: unknown): void {
    if (target.kind === 'schema') {
      this.#removeSchema(target.extension);
      return;
    }
    const { path, filter } = target;
    if (this.#isNotKept(path, 'refuse', null)) return;
    if (isMembers(path.attribute)) this.#removeMembers(target, json);
    else if (path.attribute.multiValued) this.#removePlural(path, filter, json);
    else if (filter !== undefined && !this.#single(path, compileFilter(filter))) return;
    else if (path.sub === undefined) this.#set(path, undefined);
    else this.#setSub(path, path.sub, undefined);
  }

  #isNotKept({ attribute, sub, name }: AttributePath, readOnly: 'refuse' | 'report', json: unknown): boolean {
    // It follows from what the resource has, so that to say it is no harm.
    if (attribute.name === 'schemas') return true;
    if (attribute.mutability === 'readOnly' || sub?.mutability === 'readOnly') {
      if (readOnly === 'refuse') throw new ScimError('scim_mutability', `${name} is read-only`);
      if (json !== null && !(Array.isArray(json) && json.length === 0)) this.#report.add(name, 'readOnly');
      return true;
    }
    if (attribute.returned !== 'never') return false;
    if (readSimple(attribute, json, name) !== undefined) this.#report.add(name, 'notKept');
    return true;
  }

  #assignComplex(path: AttributePath, filter: Filter | undefined, json: unknown): void {
    if (filter !== undefined && !this.#single(path, compileFilter(filter))) throw noTarget(path);
    const { attribute, sub } = path;
    if (sub !== undefined) {
      this.#setSub(path, sub, readSimple(sub, json, path.name));
      return;
    }
    const one = unwrapList(json);
    const before = this.#get(path);
    const after =
      one === '' ? {} : mergeComplex(attribute, isObject(before) ? before : {}, one, path.name, this.#report);
    this.#set(path, Object.keys(after).length === 0 ? undefined : after);
  }

  #assignPlural(op: 'add' | 'replace', path: AttributePath, filter: Filter | undefined, json: unknown): void {
    const { attribute, sub, name } = path;
    const before = this.#plural(path);
    if (filter === undefined && sub === undefined) {
      const values = readValues(attribute, json, name, this.#report);
      this.#setPlural(path, addValues(op === 'add' ? before : [], values, name));
      return;
    }
    const change = this.#changeOf(op, path, json);
    const fits = this.#test(filter, before.length);
    const touched = before.filter(fits).length;
    this.#spend(touched * STEPS_OF_CHANGE);
    if (touched > 0) {
      this.#setPlural(path, changeValues(before, fits, change, name));
      return;
    }
    const described = filter === undefined ? {} : describedBy(attribute, filter, name);
    if (described === undefined || (filter !== undefined && op === 'replace')) throw noTarget(path);
    const made = changeValues([described], () => true, change, name);
    this.#setPlural(path, addValues(before, made, name));
  }

  /** What an operation makes of each value that its filter picks. */
  #changeOf(op: 'add' | 'replace', path: AttributePath, json: unknown): (value: ScimObject) => ScimObject {
    const { attribute, sub, name } = path;
    if (sub !== undefined) {
      const value = readSimple(sub, json, name);
      return (one) => mergeComplex(attribute, one, { [sub.name]: value ?? null }, name, this.#report);
    }
    const element = mergeComplex(attribute, {}, unwrapList(json), name, this.#report);
    return (one) => (op === 'replace' ? element : mergeComplex(attribute, one, element, name, this.#report));
  }

  #removePlural(path: AttributePath, filter: Filter | undefined, json: unknown): void {
    const { attribute, sub, name } = path;
    const before = this.#plural(path);
    if (filter === undefined && sub === undefined && json !== undefined && json !== null) {
      // Dialects name what is to go in the value; to take it for a removal of all would lose the others.
      const named = fitsOneOf(attribute, readValues(attribute, json, name, this.#report), (steps) =>
        this.#spend(steps),
      );
      this.#setPlural(
        path,
        before.filter((value) => !named(value)),
      );
      return;
    }
    const without = (one: ScimObject): ScimObject | undefined =>
      sub === undefined ? undefined : mergeComplex(attribute, one, { [sub.name]: null }, name, this.#report);
    const fits = this.#test(filter, before.length);
    if (sub !== undefined) this.#spend(before.filter(fits).length * STEPS_OF_CHANGE);
    this.#setPlural(path, changeValues(before, fits, without, name));
  }

  #assignMembers(op: 'add' | 'replace', { path, filter }: PatchPath & { kind: 'attribute' }, json: unknown): void {
    if (filter !== undefined || path.sub !== undefined) throw memberIsFixed();
    if (json === null) {
      // Serializers write it for what is not said. Whoever means that nobody is in a group says [], or removes.
      this.#report.add(path.name, 'null');
      return;
    }
    this.#members ??= new MembersDraft();
    const members = readMembers(path.attribute, json, this.#report);
    if (op === 'add') this.#members.addAll(members);
    else this.#members.replaceBy(members);
  }

  /**
   * With a filter or named members only those go. All go when neither is there, as RFC 7644 §3.5.2.2 says; an empty
   * list names nobody.
   */
  #removeMembers({ path, filter }: PatchPath & { kind: 'attribute' }, json: unknown): void {
    if (path.sub !== undefined) throw memberIsFixed();
    this.#members ??= new MembersDraft();
    if (filter !== undefined) {
      this.#members.removeFitting(filter, (steps) => this.#spend(steps));
    } else if (json === undefined || json === null) this.#members.replaceBy([]);
    else this.#members.removeIds(readMembers(path.attribute, json, this.#report).map(({ value }) => value));
  }

  #removeSchema(extension: string | undefined): void {
    if (extension === undefined) throw new ScimError('scim_no_target', 'the whole resource is not removed by PATCH');
    delete this.#values[extension];
  }

  #single(path: AttributePath, fits: Test): boolean {
    const value = this.#get(path);
    return isObject(value) && fits(value);
  }

  #plural(path: AttributePath): readonly ScimObject[] {
    const values = listOf(this.#get(path)).filter(isObject);
    this.#spend(values.length);
    return values;
  }

  #setPlural(path: AttributePath, values: readonly ScimObject[]): void {
    this.#set(path, values.length === 0 ? undefined : values);
  }

  #setSub(path: AttributePath, sub: Attribute, value: ScimValue | undefined): void {
    const before = this.#get(path);
    if (value === undefined && !isObject(before)) return;
    const json = { [sub.name]: value ?? null };
    const after = mergeComplex(path.attribute, isObject(before) ? before : {}, json, path.name, this.#report);
    this.#set(path, Object.keys(after).length === 0 ? undefined : after);
  }

  #get({ extension, attribute }: AttributePath): ScimValue | undefined {
    if (extension === undefined) return this.#values[attribute.name];
    const holder = this.#values[extension];
    return isObject(holder) ? holder[attribute.name] : undefined;
  }

  /** Writes the attribute of a path, whatever its sub-attribute. */
  #set({ extension, attribute }: AttributePath, value: ScimValue | undefined): void {
    if (value === undefined && attribute.required) {
      throw new ScimError('scim_mutability', `${pathOf(extension, attribute).name} is required`);
    }
    if (extension === undefined) {
      put(this.#values, attribute.name, value);
      return;
    }
    const held = this.#values[extension];
    const holder: Record<string, ScimValue> = isObject(held) ? { ...held } : {};
    put(holder, attribute.name, value);
    put(this.#values, extension, Object.keys(holder).length === 0 ? undefined : holder);
  }

  #test(filter: Filter | undefined, values: number): Test {
    if (filter === undefined) return () => true;
    this.#spend(values * termsOf(filter));
    return compileFilter(filter);
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) throw new ScimError('scim_too_large', 'the operations look at too many values');
  }
}

function isMembers(attribute: Attribute): boolean {
  return attribute.name === 'members';
}

function noTarget({ name }: AttributePath): ScimError {
  return new ScimError('scim_no_target', `no value of ${name} fits the filter`);
}
