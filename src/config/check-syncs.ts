import { unknownTarget } from './check-routes.ts';
import type { Finding, Path } from './complaint.ts';
import type { Checked, Declared } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

type Sync = readonly [string, Config['sync'][string]];

/** Syncs against sources, targets, themselves and each other. */
export function checkSyncs({ sync = {}, sources = {}, safety }: Partial<Config>, declared: Declared): Checked {
  const syncs = Object.entries(sync);
  return {
    complaints: syncs.flatMap(([name, { from, to, every, cron }]) => [
      ...unknownSource(from, ['sync', name, 'from'], declared),
      ...unknownTarget(to, ['sync', name, 'to'], declared),
      ...(every === undefined || cron === undefined ? [] : [twoSchedules(name)]),
    ]),
    warnings: [
      ...twins(syncs),
      ...syncs.flatMap(withoutEffect),
      ...unusedEvents(syncs, sources),
      ...(safety === undefined || safety.manage === 'ours' ? [] : sharedTargets(syncs, safety.manage)),
    ],
  };
}

/** Events only have a schedule begin sooner. */
function unusedEvents(syncs: readonly Sync[], sources: Config['sources']): readonly Finding[] {
  const scheduled = new Set(syncs.flatMap(([, { from, every, cron }]) => ((every ?? cron) === undefined ? [] : from)));
  return Object.entries(sources).flatMap(([name, source]): Finding[] => {
    if (source.type !== 'auth0' || !source.events || scheduled.has(name)) return [];
    const message = `\`sources.${name}.events\` does nothing: no sync from there has \`every\` or \`cron\``;
    return [{ path: ['sources', name, 'events'], at: 'key', code: 'no_effect', message }];
  });
}

/** What only the other source gives is what nobody gives, until the sync of that one was applied. */
function sharedTargets(syncs: readonly Sync[], manage: string): readonly Finding[] {
  const first = new Map<string, Sync>();
  return syncs.flatMap(([name, sync]): Finding[] => {
    const other = first.get(sync.to);
    if (other === undefined) first.set(sync.to, [name, sync]);
    if (other === undefined || other[1].from === sync.from) return [];
    const message = `\`sync.${name}\` and \`sync.${other[0]}\` lead from two sources to one target: what \`safety.manage: ${manage}\` takes besides what is recorded stays there until each was applied once`;
    const hint = 'apply each of them once';
    return [{ path: ['sync', name, 'to'], code: 'shared_target', message, hint }];
  });
}

function unknownSource(name: string, path: Path, declared: Declared): readonly Finding[] {
  if (declared.sources.has(name)) return [];
  const meant = nearest(name, declared.sources);
  const hint = meant === undefined ? `the sources are ${[...declared.sources].join(', ')}` : `did you mean ${meant}?`;
  const message = `there is no source ${declared.show(name, path)}`;
  return [{ path, code: 'unknown_source', message, ...(declared.sources.size === 0 ? {} : { hint }) }];
}

function twoSchedules(name: string): Finding {
  const message = `\`sync.${name}\` has both \`every\` and \`cron\``;
  return { path: ['sync', name, 'cron'], at: 'key', code: 'schedule_conflict', message, hint: 'keep one of the two' };
}

/** Two of the same would each find done what the other did. */
function twins(syncs: readonly Sync[]): readonly Finding[] {
  const first = new Map<string, string>();
  return syncs.flatMap(([name, { from, to }]): Finding[] => {
    const key = JSON.stringify([from, to]);
    const other = first.get(key);
    if (other === undefined) first.set(key, name);
    if (other === undefined) return [];
    const message = `\`sync.${name}\` syncs the same source to the same target as \`sync.${other}\``;
    return [{ path: ['sync', name], at: 'key', code: 'duplicate_sync', message, hint: 'take one out' }];
  });
}

function withoutEffect([name, sync]: Sync): readonly Finding[] {
  const nothing = (key: string, why: string): Finding => ({
    path: ['sync', name, key],
    at: 'key',
    code: 'no_effect',
    message: `\`sync.${name}.${key}\` does nothing: ${why}`,
  });
  const isScheduled = sync.every !== undefined || sync.cron !== undefined;
  const { every, jitter } = sync;
  return [
    ...(isScheduled || sync.do === 'plan'
      ? []
      : [nothing('do', 'there is no schedule, and the command says it itself')]),
    ...(isScheduled || jitter === undefined ? [] : [nothing('jitter', 'there is no schedule')]),
    ...(sync.cron !== undefined || sync.time_zone === 'UTC' ? [] : [nothing('time_zone', 'there is no `cron`')]),
    ...(every === undefined || jitter === undefined || jitter < every
      ? []
      : [nothing('jitter', 'it is no shorter than `every`, and is taken as a tenth of it')]),
  ];
}
