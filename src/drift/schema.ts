import { z } from 'zod';
import { durationMs, httpUrl, textList } from '../config/values.ts';

export const driftSchema = z.strictObject({
  every: durationMs
    .optional()
    .describe(
      'How often `serve` compares targets with what is known, in one of its instances. Absent: by command alone.',
    ),
  targets: textList.prefault([]).describe('Which targets by the schedule. Empty: all.'),
  idle: durationMs
    .optional()
    .describe('An account counts as idle when no origin has spoken of its person for this long. Absent: none does.'),
  webhook: httpUrl.optional().meta({
    description: 'Where a review that found something is sent: a POST with JSON, docs/drift.md shows it.',
    examples: ['https://alerts.example.com/latchgate'],
  }),
});
