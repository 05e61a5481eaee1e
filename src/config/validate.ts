import type { z } from 'zod';
import { type Finding, type Path, showPath } from './complaint.ts';
import { explainIssue, type IssueContext, meantKey, unknownKey } from './explain-issue.ts';
import { without } from './paths.ts';
import { type Config, configSchema } from './schema.ts';
import { isMap, isOptional } from './schema-walk.ts';
import { withoutPeople } from './without-people.ts';

export interface Validated {
  readonly findings: readonly Finding[];
  /** Sections and entries without a finding, for the checks between them. A section that can't be read is absent. */
  readonly sound: Partial<Config>;
  /** The whole, when there is no finding. */
  readonly config?: Config;
}

const SECTIONS = Object.keys(configSchema.shape) as (keyof Config)[];

/** Sections whose entries stand on their own: one that can't be read leaves the others. */
export const ENTRY_SECTIONS: ReadonlySet<string> = new Set(['login', 'rules', 'targets', 'sources', 'sync']);

/** Checks a whole file against the schema and says everything at once. Changes nothing. */
export function validate(value: Record<string, unknown>, sources: (path: Path) => readonly string[]): Validated {
  const context: IssueContext = { schema: configSchema, value, sources };
  const findings: Finding[] = Object.keys(value)
    .filter((key) => !Object.hasOwn(configSchema.shape, key))
    .map((key) => unknownKey([key], context));
  const sound: Record<string, unknown> = {};
  const stands = withoutPeople(value);
  for (const section of SECTIONS) {
    const schema: z.ZodType = configSchema.shape[section];
    if (value[section] === undefined && stands[section] !== undefined) {
      sound[section] = section === 'routes' ? [] : schema.parse(stands[section]);
      continue;
    }
    if (value[section] === undefined && isOptional(schema)) {
      sound[section] = schema.parse(undefined);
      continue;
    }
    const { issues, output } = readSection(schema, section, value[section]);
    findings.push(...issues.flatMap((issue) => explainIssue(issue, context, [section])));
    if (output !== undefined) sound[section] = output;
  }
  return findings.length > 0
    ? { findings: withoutMisspelt(findings, context), sound }
    : { findings, sound, config: sound as Config };
}

/** A key that is missing because it was misspelt is one complaint, not two. */
function withoutMisspelt(findings: readonly Finding[], context: IssueContext): readonly Finding[] {
  const meant = findings
    .filter((finding) => finding.code === 'unknown_key')
    .map(({ path }) => showPath([...path.slice(0, -1), meantKey(path, context) ?? '']));
  return findings.filter((finding) => finding.code !== 'missing_key' || !meant.includes(showPath(finding.path)));
}

/**
 * One section: what is wrong with it, and what of it is sound. Unknown keys are taken out alone before a second look, so
 * that what only shows without them is said too.
 */
function readSection(
  schema: z.ZodType,
  section: string,
  value: unknown,
): { readonly issues: readonly z.core.$ZodIssue[]; readonly output?: unknown } {
  const first = schema.safeParse(value);
  if (first.success) return { issues: [], output: first.data };
  const unknown = first.error.issues.filter((issue) => issue.code === 'unrecognized_keys');
  const paths = unknown.flatMap((issue) => issue.keys.map((key) => [...issue.path, key] as Path));
  const second = schema.safeParse(without(value, paths));
  const issues = [...unknown, ...(second.error?.issues ?? [])];
  if (!ENTRY_SECTIONS.has(section) || !isMap(value)) {
    // Without what cannot be read the rest is still checked against the other sections. Items of a list stay in place.
    const bad = isMap(value) ? issues.map((issue) => issue.path.slice(0, 1) as Path) : [];
    return { issues, output: second.data ?? schema.safeParse(without(value, [...paths, ...bad])).data };
  }
  const bad = issues.map((issue) => issue.path.slice(0, 1) as Path);
  return { issues, output: schema.safeParse(without(value, bad)).data };
}
