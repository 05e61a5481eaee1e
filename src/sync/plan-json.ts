import { z } from 'zod';
import { LatchgateError } from '../model/errors.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { SyncPlan } from './sync.ts';

const entitlement = z.object({
  kind: z.enum(['group', 'role', 'permission']),
  name: z.string(),
  scope: z.string().exactOptional(),
  label: z.string().exactOptional(),
  id: z.string().exactOptional(),
});

const fieldValue = z.union([z.string(), z.boolean(), z.null()]);

const change = z.object({
  op: z.enum(['create', 'update', 'disable', 'delete', 'grant', 'revoke']),
  type: z.enum(['user', 'group']),
  key: z.string(),
  fields: z.array(z.object({ field: z.string(), before: fieldValue, after: fieldValue })),
  entitlement: entitlement.exactOptional(),
  reason: z.string(),
  rule: z.string().exactOptional(),
  origin: z.string().exactOptional(),
  person: z.string().exactOptional(),
  subject: z.string().exactOptional(),
  target: z.string().exactOptional(),
});

const number = z.number().int().nonnegative();

/** `plan --json`, the file of `plan --out`, and the body of a plan that is kept. Members are stable; more may be added. */
const planSchema = z.object({
  version: z.literal(1),
  id: z.string().min(1),
  sync: z.string().min(1),
  source: z.string(),
  target: z.string(),
  createdAt: z.iso.datetime(),
  complete: z.boolean(),
  listed: number,
  changes: z.array(change),
  // Of a version that did not know it.
  carried: z.array(change).default([]),
  held: z.array(change.extend({ code: z.string() })),
  brake: z
    .object({
      code: z.enum([
        'source_empty',
        'source_incomplete',
        'source_short',
        'target_incomplete',
        'too_many_removals',
        'too_many_new_users',
      ]),
      message: z.string(),
    })
    .nullable(),
  summary: z.object({
    create: number,
    update: number,
    disable: number,
    delete: number,
    grant: number,
    revoke: number,
    held: number,
  }),
  notes: z.array(z.string()),
  fingerprint: z.string().regex(/^[0-9a-f]{64}$|^[\w-]{43}$/),
});

export type PlanJson = z.output<typeof planSchema>;

export function planJson(plan: SyncPlan): PlanJson {
  const { id, sync, source, target, complete, listed, summary, notes, fingerprint, brake } = plan;
  const withFields = <Row extends SyncPlan['changes'][number]>(row: Row) => ({
    ...row,
    fields: (row.fields ?? []).map((field) => ({ ...field })),
  });
  return {
    version: 1,
    id,
    sync,
    source,
    target,
    createdAt: plan.createdAt.toISOString(),
    complete,
    listed,
    brake: brake ?? null,
    summary,
    changes: plan.changes.map(withFields),
    carried: (plan.carried ?? []).map(withFields),
    held: plan.held.map(withFields),
    notes: [...notes],
    fingerprint,
  };
}

/** The plan of such a text. Throws `plan_invalid` for anything else; the message holds no part of the text. */
export function parsePlan(text: string): SyncPlan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LatchgateError('plan_invalid', 'the plan is not JSON');
  }
  const { data, error } = planSchema.safeParse(value);
  if (data === undefined) {
    const where = error?.issues[0]?.path.join('.') ?? '';
    throw new LatchgateError('plan_invalid', `the plan is not one of ours${where === '' ? '' : `: see ${where}`}`);
  }
  if (fingerprintOf(data) !== data.fingerprint) {
    throw new LatchgateError('plan_invalid', 'the plan is not what was written: its changes are others');
  }
  const { version: _, brake, createdAt, carried, ...rest } = data;
  return {
    ...rest,
    createdAt: new Date(createdAt),
    ...(brake === null ? {} : { brake }),
    ...(carried.length === 0 ? {} : { carried }),
  };
}
