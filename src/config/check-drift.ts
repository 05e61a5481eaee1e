import { unknownTarget } from './check-routes.ts';
import type { Checked, Declared } from './declared.ts';
import type { Config } from './schema.ts';

/** What is reviewed on a schedule against the targets. */
export function checkDrift({ drift }: Partial<Config>, declared: Declared): Checked {
  const targets = drift?.targets ?? [];
  const isIdle = drift?.every === undefined && (drift?.webhook !== undefined || targets.length > 0);
  return {
    complaints: targets.flatMap((name, at) => unknownTarget(name, ['drift', 'targets', at], declared)),
    warnings: isIdle
      ? [
          {
            path: ['drift'],
            at: 'key',
            code: 'no_effect',
            message: '`drift.targets` and `drift.webhook` are of the schedule, and `drift.every` is not set',
          },
        ]
      : [],
  };
}
