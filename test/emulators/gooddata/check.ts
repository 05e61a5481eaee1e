import { Refusal } from './exchange.ts';

/** Looks at one value of a request body. @throws Refusal 400 naming the place. */
export type Check = (value: unknown, at: string) => void;

/** Ids of users, groups, keys and workspaces. */
export const ID_PATTERN = /^(?!\.)[.A-Za-z0-9_-]{1,255}$/;

function refuse(at: string, complaint: string): never {
  throw new Refusal(400, `${at}: ${complaint}`);
}

export function text(max: number): Check {
  return (value, at) => {
    if (typeof value !== 'string') refuse(at, 'must be a string');
    if (value.length > max) refuse(at, `size must be between 0 and ${max}`);
  };
}

export function oneOf(names: readonly string[]): Check {
  return (value, at) => {
    if (typeof value !== 'string' || !names.includes(value)) refuse(at, `must be one of ${names.join(', ')}`);
  };
}

export const identifier: Check = (value, at) => {
  if (typeof value !== 'string' || !ID_PATTERN.test(value)) refuse(at, `must match ${ID_PATTERN.source}`);
};

export const flag: Check = (value, at) => {
  if (typeof value !== 'boolean') refuse(at, 'must be true or false');
};

/** A JSON object of any content, by the length of its text. */
export function jsonObject(maxChars: number): Check {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(at, 'must be an object');
    if (JSON.stringify(value).length > maxChars) refuse(at, `must not be longer than ${maxChars} characters`);
  };
}

export function list(item: Check, min = 0): Check {
  return (value, at) => {
    if (!Array.isArray(value)) refuse(at, 'must be a list');
    if (value.length < min) refuse(at, `must have at least ${min} item`);
    value.forEach((entry, index) => {
      item(entry, `${at}[${index}]`);
    });
  };
}

/** An object with these members and no others. */
export function record(members: Readonly<Record<string, Check>>, required: readonly string[] = []): Check {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(at, 'must be an object');
    for (const [name, member] of Object.entries(value)) {
      const check = Object.hasOwn(members, name) ? members[name] : undefined;
      if (!check) refuse(at, `unknown member '${name}'`);
      check(member, `${at}.${name}`);
    }
    for (const name of required) {
      if (!Object.hasOwn(value, name)) refuse(at, `'${name}' is missing`);
    }
  };
}

export function nullable(check: Check): Check {
  return (value, at) => {
    if (value !== null) check(value, at);
  };
}

/** `{id, type}` of one of these types. Whether it exists is asked elsewhere. */
export function reference(types: readonly string[]): Check {
  return record({ id: identifier, type: oneOf(types) }, ['id', 'type']);
}
