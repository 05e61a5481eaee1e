import { type SourceConfig, sourcesSchema } from '../../src/sources/schema.ts';

/** One source of the config, as the loader reads it: with its defaults. */
export function sourceConfig<T extends SourceConfig['type']>(
  type: T,
  members: Readonly<Record<string, unknown>>,
): Extract<SourceConfig, { readonly type: T }> {
  const { one } = sourcesSchema.parse({ one: { type, ...members } });
  return one as Extract<SourceConfig, { readonly type: T }>;
}
