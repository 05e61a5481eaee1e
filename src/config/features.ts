import { type Finding, type Path, showPath } from './complaint.ts';
import { isMap } from './schema-walk.ts';

/** A part of the language whose feature this version does not have. */
interface MissingFeature {
  /** `*` stands for each key or item. */
  readonly path: readonly string[];
  /** Only such values need the feature. Absent: the key itself does. */
  readonly needs?: (value: unknown) => boolean;
  readonly feature: string;
  readonly instead?: string;
  /** How many steps of the path stand and fall with it: the entry of a SAML login is not looked at any further. */
  readonly entry?: number;
}

const MISSING_FEATURES: readonly MissingFeature[] = [
  { path: ['admin_url'], feature: 'the operators’ page', instead: 'leave it out: the commands show the same' },
];

export interface Refused {
  readonly findings: readonly Finding[];
  /** Paths that are refused as a whole: nothing more is to be said of them. */
  readonly dropped: readonly Path[];
}

/** Refuses, by name, every key of the language whose feature is not there yet. */
export function refuseMissingFeatures(config: unknown): Refused {
  const findings: Finding[] = [];
  const dropped: Path[] = [];
  const isDropped = (path: Path): boolean => dropped.some((entry) => startsWith(path, entry));
  for (const missing of MISSING_FEATURES) {
    for (const [path, value] of places(config, missing.path)) {
      if (isDropped(path) || (missing.needs !== undefined && !missing.needs(value))) continue;
      dropped.push(path.slice(0, missing.entry ?? path.length));
      const shown =
        missing.needs !== undefined && typeof value === 'string' ? `${showPath(path)}: ${value}` : showPath(path);
      findings.push({
        path,
        at: missing.needs === undefined ? 'key' : 'value',
        code: 'feature_missing',
        message: `${shown} is not there yet: it needs ${missing.feature}, which this version does not have`,
        ...(missing.instead === undefined ? {} : { hint: missing.instead }),
      });
    }
  }
  return { findings, dropped };
}

export function startsWith(path: Path, prefix: Path): boolean {
  return prefix.length <= path.length && prefix.every((step, index) => step === path[index]);
}

/** Every path that fits the pattern, with the value that stands there. */
function places(value: unknown, pattern: readonly string[], path: Path = []): [Path, unknown][] {
  const [step, ...rest] = pattern;
  if (step === undefined) return [[path, value]];
  if (Array.isArray(value)) {
    return step === '*' ? value.flatMap((item, index) => places(item, rest, [...path, index])) : [];
  }
  if (!isMap(value)) return [];
  const keys = step === '*' ? Object.keys(value) : Object.hasOwn(value, step) ? [step] : [];
  return keys.flatMap((key) => places(value[key], rest, [...path, key]));
}

/** A copy without the values at these paths. */
export function without(value: unknown, dropped: readonly Path[], path: Path = []): unknown {
  const isGone = (step: string | number): boolean =>
    dropped.some((one) => one.length === path.length + 1 && startsWith([...path, step], one));
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => (isGone(index) ? [] : [without(item, dropped, [...path, index])]));
  }
  if (!isMap(value)) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value)) if (!isGone(key)) copy[key] = without(value[key], dropped, [...path, key]);
  return copy;
}
