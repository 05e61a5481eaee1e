import type { z } from 'zod';
import type { Finding, Path } from './complaint.ts';
import { showPath } from './complaint.ts';
import { nearest } from './nearest.ts';
import { isMap, keysAt, notesAt, valueAt } from './schema-walk.ts';

type Issue = z.core.$ZodIssue;

export interface IssueContext {
  readonly schema: z.core.$ZodType;
  /** The whole file as plain values. */
  readonly value: unknown;
  /** What was put into the value at a path from outside; such a value is never shown. */
  sources(path: Path): readonly string[];
}

/** What zod found, as sentences for the person who wrote the file. */
export function explainIssue(issue: Issue, context: IssueContext, base: Path = []): Finding[] {
  const path = [...base, ...issue.path] as Path;
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], context));
  if (issue.code === 'invalid_union' && 'discriminator' in issue && issue.discriminator !== undefined) {
    return [wrongKind(path, issue, context)];
  }
  if (issue.code === 'invalid_union') {
    const branch = meantBranch(issue.errors, valueAt(context.value, path));
    if (branch !== undefined) return branch.flatMap((inner) => explainIssue(inner, context, path));
  }
  if (issue.code === 'invalid_key') {
    const [inner] = issue.issues;
    return [
      {
        path,
        at: 'key',
        code: 'invalid_value',
        message: `the name ${showPath(path)} ${inner?.message ?? 'cannot be used'}`,
      },
    ];
  }
  return [explainValue(issue, path, context)];
}

function explainValue(issue: Issue, path: Path, context: IssueContext): Finding {
  const value = valueAt(context.value, path);
  if (value === undefined) return missingKey(path, context);
  const hint = sourceHint(path, value, context);
  const own = /^must |^needs /.test(issue.message) ? issue.message : undefined;
  if (issue.code === 'invalid_value') {
    const options = issue.values.map((option) => `\`${String(option)}\``);
    const message = `${showPath(path)} ${own ?? `must be ${options.length === 1 ? options[0] : `one of ${options.join(', ')}`}`}`;
    return {
      path,
      code: 'not_an_option',
      message,
      ...(hint ?? optionHint(path, value, issue.values.map(String), context)),
    };
  }
  if (issue.code === 'invalid_type' || issue.code === 'invalid_union') {
    const wanted = own ?? `must be ${typeNames[(issue as { expected?: string }).expected ?? ''] ?? 'of another type'}`;
    const message = `${showPath(path)} ${wanted}, not ${shapeOf(value)}`;
    const quotes = /text/.test(wanted) && typeof value !== 'object' ? { hint: 'put it in quotes' } : {};
    return { path, code: 'wrong_type', message, ...(hint ?? quotes) };
  }
  return { path, code: 'invalid_value', message: `${showPath(path)} ${own ?? 'cannot be used'}`, ...hint };
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of keys and values',
  record: 'a map of names and values',
};

function shapeOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isMap(value)) return 'a map';
  if (typeof value === 'boolean') return 'true or false';
  return typeof value === 'string' ? 'a text' : 'a number';
}

/** Where a value came from, when it did not stand in the file: people have to look there. */
function sourceHint(path: Path, value: unknown, context: IssueContext): { readonly hint: string } | undefined {
  const sources = context.sources(path);
  if (sources.length === 0) return undefined;
  const [only] = sources;
  if (value === '' && sources.length === 1) return { hint: `${only} is set, but empty` };
  return { hint: `the value comes from ${sources.join(' and ')}` };
}

function optionHint(
  path: Path,
  value: unknown,
  options: readonly string[],
  context: IssueContext,
): { readonly hint?: string } {
  if (typeof value !== 'string' || context.sources(path).length > 0) return {};
  const meant = nearest(value, options);
  return meant === undefined ? {} : { hint: `did you mean ${meant}?` };
}

/** The key that stands where an unknown one was most likely meant. */
export function meantKey(path: Path, context: IssueContext): string | undefined {
  return nearest(String(path.at(-1)), keysAt(context.schema, path.slice(0, -1), context.value));
}

/** A key that no part of the language has, with the nearest one that there is. */
export function unknownKey(path: Path, context: IssueContext): Finding {
  const parent = path.slice(0, -1);
  const meant = meantKey(path, context);
  const hint = meant === undefined ? keysHint(keysAt(context.schema, parent, context.value)) : `did you mean ${meant}?`;
  const where = parent.length === 0 ? 'at the top of the file' : `in ${showPath(parent)}`;
  const message = `there is no key \`${String(path.at(-1))}\` ${where}`;
  return { path, at: 'key', code: 'unknown_key', message, ...(hint === undefined ? {} : { hint }) };
}

const MOST_KEYS_SHOWN = 24;

function keysHint(keys: readonly string[]): string | undefined {
  return keys.length === 0 || keys.length > MOST_KEYS_SHOWN ? undefined : `the keys are ${keys.join(', ')}`;
}

function missingKey(path: Path, context: IssueContext): Finding {
  const { description, examples } = notesAt(context.schema, path, context.value);
  const example = examples?.[0];
  const shown = example === undefined ? undefined : `write for example ${String(path.at(-1))}: ${showExample(example)}`;
  const sentence = description?.replace(/\.$/, '');
  const hint = [sentence, shown].filter((part) => part !== undefined).join('; ');
  return {
    path,
    at: 'key',
    code: 'missing_key',
    message: `${showPath(path)} is missing`,
    ...(hint === '' ? {} : { hint }),
  };
}

function showExample(example: unknown): string {
  if (Array.isArray(example)) return `[${example.map((item) => JSON.stringify(item)).join(', ')}]`;
  return typeof example === 'string' && example.includes('${') ? JSON.stringify(example) : String(example);
}

/** An entry whose `type` is missing or none of those that there are. */
function wrongKind(
  path: Path,
  issue: Issue & { readonly options?: readonly unknown[] },
  context: IssueContext,
): Finding {
  const options = (issue.options ?? []).filter((option) => typeof option === 'string');
  const value = valueAt(context.value, path);
  const shown = either(options.map((option) => `\`${option}\``));
  if (value === undefined) {
    return {
      path,
      at: 'key',
      code: 'missing_key',
      message: `${showPath(path)} is missing`,
      hint: `write ${either(options.map((option) => `type: ${option}`))}`,
    };
  }
  const hint = sourceHint(path, value, context) ?? optionHint(path, value, options, context);
  return { path, code: 'not_an_option', message: `${showPath(path)} must be ${shown}`, ...hint };
}

/** The branch of a union that the value was meant for: the one that got past the type. */
function meantBranch(branches: readonly (readonly Issue[])[], value: unknown): readonly Issue[] | undefined {
  if (value === undefined) return undefined;
  return branches.find(
    (issues) => issues.length > 0 && issues.every((issue) => issue.path.length > 0 || issue.code !== 'invalid_type'),
  );
}

/** `a`, `a or b`, `a, b or c`. */
function either(texts: readonly string[]): string {
  const last = texts.at(-1) ?? '';
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(', ')} or ${last}`;
}
