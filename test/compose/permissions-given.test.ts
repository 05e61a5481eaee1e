import { permissionsGiven } from '../../src/compose/permissions-given.ts';
import { defaultSchema, rulesSchema } from '../../src/mapping/schema.ts';
import type { EntitlementKind } from '../../src/model/entitlement.ts';
import { safetySchema } from '../../src/provisioning/schema.ts';

const VIEW = { permissions: { sales: 'VIEW' } };

function start(config: { rules?: unknown; fallback?: unknown; safety?: unknown } = {}) {
  const asked: string[] = [];
  const rows = { count: 0 };
  const clock = { at: 1_800_000_000_000, now: () => clock.at };
  const ledger = {
    count: async (target: string, kind?: EntitlementKind) => {
      asked.push(`${kind} in ${target}`);
      return rows.count;
    },
  };
  const given = permissionsGiven({
    target: 'gooddata',
    config: {
      rules: rulesSchema.parse(config.rules ?? {}),
      default: defaultSchema.parse(config.fallback ?? {}),
      safety: safetySchema.parse(config.safety ?? {}),
    },
    ledger,
    clock,
  });
  return { given, asked, rows, clock };
}

describe("whether people's own permissions matter in a target", () => {
  it.each([
    ['a rule', { rules: { r: { grant: { gooddata: VIEW } } } }],
    ['the default', { fallback: { grant: { gooddata: VIEW } } }],
    ['safety.privileged', { safety: { privileged: ['gooddata:permission:MANAGE'] } }],
    ['safety.manage: all', { safety: { manage: 'all' } }],
  ])('yes, without a look at the ledger, because of %s', async (_what, config) => {
    const { given, asked } = start(config);
    expect(await given()).toBe(true);
    expect(asked).toEqual([]);
  });

  it('no when permissions are of another target, and groups of this one', async () => {
    const { given } = start({ rules: { r: { grant: { other: VIEW, gooddata: { groups: ['a'] } } } } });
    expect(await given()).toBe(false);
  });

  it('yes while the ledger has some that an earlier config gave, asked again after a minute', async () => {
    const { given, asked, rows, clock } = start();
    rows.count = 2;
    expect(await given()).toBe(true);
    rows.count = 0;
    expect(await given()).toBe(true);
    expect(asked).toEqual(['permission in gooddata']);
    clock.at += 60_000;
    expect(await given()).toBe(false);
  });
});
