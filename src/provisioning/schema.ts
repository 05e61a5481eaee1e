import { z } from 'zod';
import { textList } from '../config/values.ts';

/** `superset:role:Admin`: target, kind, name. */
const privileged = z.string().regex(/^[^:\s]+:(group|role|permission):.+$/, 'must be target:kind:name, such as superset:role:Admin');

export const safetySchema = z.strictObject({
  manage: z.enum(['ours', 'mapped', 'all']).default('ours'),
  privileged: z.array(privileged).default([]),
  never_touch: textList.default([]),
  leaver: z.enum(['disable', 'delete']).default('disable'),
});

export type SafetyConfig = z.output<typeof safetySchema>;
