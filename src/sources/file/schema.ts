import { z } from 'zod';
import { count, text } from '../../config/values.ts';
import { originMembers } from '../origin/schema.ts';
import { COLUMN_CLAIMS } from '../sql/schema.ts';

export const fileSourceSchema = z.strictObject({
  type: z.literal('file').describe('The kind of source: a file with a person a line.'),
  path: text.meta({
    description: 'The file, relative to the config file.',
    examples: ['people.csv'],
  }),
  format: z
    .enum(['csv', 'ndjson'])
    .optional()
    .describe(
      '`csv` (RFC 4180 with a header line) or `ndjson` (a JSON object a line). Default: by the ending of `path`.',
    ),
  delimiter: text.max(1, 'must be one character').default(',').describe('`csv`: the character between two fields.'),
  key: text
    .optional()
    .describe(
      'Column or member that tells people apart and never changes. Default: `subject` when there is one, else the e-mail.',
    ),
  max_bytes: count
    .refine((number) => number > 0, 'must be at least 1')
    .prefault(268_435_456)
    .describe('A larger file is not read at all.'),
  max_rows: count
    .refine((number) => number > 0, 'must be at least 1')
    .prefault(1_000_000)
    .describe('Rows after which reading stops. The listing then counts as incomplete, and nobody is removed.'),
  ...originMembers(COLUMN_CLAIMS),
});

export type FileSourceConfig = z.output<typeof fileSourceSchema>;
