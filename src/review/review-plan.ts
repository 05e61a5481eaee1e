import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Review, Reviews } from '../directory/reviews.ts';
import { LatchgateError } from '../model/errors.ts';
import type { ReviewDecisions } from './load.ts';

const revocation = z.strictObject({
  line: z.number().int().positive(),
  person: z.string(),
  personName: z.string(),
  kind: z.enum(['group', 'role', 'permission']),
  name: z.string(),
  scope: z.string().exactOptional(),
  rule: z.string(),
  origin: z.string(),
  since: z.iso.datetime(),
  reason: z.string().exactOptional(),
});

const count = z.number().int();

/** The file of `review --load --out`, for `apply --plan`. */
const schema = z.strictObject({
  version: z.literal(1),
  kind: z.literal('review'),
  review: z.string(),
  target: z.string(),
  keep: count,
  undecided: count,
  missing: count,
  revoke: z.array(revocation),
  seal: z.string(),
});

export function reviewPlanText({ review, keep, undecided, missing, revoke }: ReviewDecisions): string {
  const body = {
    version: 1 as const,
    kind: 'review' as const,
    review: review.id,
    target: review.target,
    keep,
    undecided,
    missing,
    revoke: [...revoke],
  };
  return `${JSON.stringify({ ...body, seal: sealOf(review, body) }, null, 2)}\n`;
}

/** Whether a text is such a plan, and not one of a sync. */
export function isReviewPlan(text: string): boolean {
  return /^\s*\{\s*"version":\s*1,\s*"kind":\s*"review"/.test(text);
}

/** Throws `plan_invalid` for a text that this deployment has not written so, `review_foreign` for a review that it has not made. */
export async function parseReviewPlan(text: string, reviews: Reviews): Promise<ReviewDecisions> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LatchgateError('plan_invalid', 'the plan is not JSON');
  }
  const { data } = schema.safeParse(value);
  if (data === undefined) throw new LatchgateError('plan_invalid', 'the plan is not one of ours');
  const { seal, ...body } = data;
  const review = await reviews.get(body.review);
  if (review === undefined) throw new LatchgateError('review_foreign', 'this review is not known here');
  if (seal !== sealOf(review, body)) {
    throw new LatchgateError('plan_invalid', 'the plan is not what was written: its changes are others');
  }
  return { review, keep: body.keep, undecided: body.undecided, missing: body.missing, revoke: body.revoke };
}

function sealOf({ seal }: Review, body: Record<string, unknown>): string {
  return createHmac('sha256', seal).update(JSON.stringify(body)).digest('base64url');
}
