import type { Path } from './complaint.ts';
import { isMap } from './schema-walk.ts';

export function startsWith(path: Path, prefix: Path): boolean {
  return prefix.length <= path.length && prefix.every((step, index) => step === path[index]);
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
