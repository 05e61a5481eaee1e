import type { z } from 'zod';
import type { Finding, Path } from './complaint.ts';
import { explainIssue, type IssueContext, unknownKey } from './explain-issue.ts';
import { without } from './features.ts';
import { type Config, configSchema } from './schema.ts';
import { isMap, isOptional } from './schema-walk.ts';

export interface Validated {
  readonly findings: readonly Finding[];
  /** Sections and entries without a finding, for the checks between them. A section that can't be read is absent. */
  readonly sound: Partial<Config>;
  /** The whole, when there is no finding. */
  readonly config?: Config;
}

const SECTIONS = Object.keys(configSchema.shape) as (keyof Config)[];

/** Sections whose entries stand on their own: one that can't be read leaves the others. */
const RECORDS: ReadonlySet<string> = new Set(['login', 'rules', 'targets']);

/** Checks a whole file against the schema and says everything at once. Changes nothing. */
export function validate(value: Record<string, unknown>, sources: (path: Path) => readonly string[]): Validated {
  const context: IssueContext = { schema: configSchema, value, sources };
  const findings: Finding[] = Object.keys(value)
    .filter((key) => !Object.hasOwn(configSchema.shape, key))
    .map((key) => unknownKey([key], context));
  const sound: Record<string, unknown> = {};
  for (const section of SECTIONS) {
    const schema: z.ZodType = configSchema.shape[section];
    if (value[section] === undefined && isOptional(schema)) {
      sound[section] = schema.parse(undefined);
      continue;
    }
    const { issues, output } = readSection(schema, section, value[section]);
    findings.push(...issues.flatMap((issue) => explainIssue(issue, context, [section])));
    if (output !== undefined) sound[section] = output;
  }
  return findings.length > 0 ? { findings, sound } : { findings, sound, config: sound as Config };
}

/**
 * One section: what is wrong with it, and what is left when that is taken out. Unknown keys are taken out alone, so that
 * what only shows without them is said too.
 */
function readSection(
  schema: z.ZodType,
  section: string,
  value: unknown,
): { issues: readonly z.core.$ZodIssue[]; output: unknown } {
  const first = schema.safeParse(value);
  if (first.success) return { issues: [], output: first.data };
  const unknown = first.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key] as Path) : [],
  );
  const known = without(value, unknown);
  const second = schema.safeParse(known);
  const others = second.error?.issues ?? [];
  const issues = [...first.error.issues.filter((issue) => issue.code === 'unrecognized_keys'), ...others];
  if (!RECORDS.has(section) || !isMap(known)) return { issues, output: second.data };
  const bad = others.map((issue) => issue.path.slice(0, 1) as Path);
  return { issues, output: schema.safeParse(without(known, bad)).data };
}
