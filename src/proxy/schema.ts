import { z } from 'zod';
import { entryName, flag, text, textList } from '../config/values.ts';
import { conditionSchema } from '../mapping/schema.ts';

export const routeSchema = z.strictObject({
  host: text.optional(),
  path: z
    .string()
    .regex(/^\/[^?#\s\\;%]*$/, 'must begin with / and hold no query, fragment, blank, backslash, ; or %')
    .describe('a prefix of whole path segments, compared after normalisation'),
  to: entryName.describe('a target'),
  methods: textList.transform((methods) => methods.map((method) => method.toUpperCase())).optional(),
  when: conditionSchema.optional(),
  public: flag.default(false).describe('served without a login'),
});

export const routesSchema = z.array(routeSchema).min(1, 'at least one route is needed');

export type RouteConfig = z.output<typeof routeSchema>;
