import { EVERY_WORKSPACE, WORKSPACE_ID, WORKSPACE_PERMISSIONS } from '../targets/gooddata/schema.ts';
import { couldBe } from './check-privileged.ts';
import { type Finding, type Path, showPath } from './complaint.ts';
import type { Checked } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

type Rule = Config['rules'][string];
type Grant = NonNullable<Rule['grant']>;

interface Given {
  readonly path: Path;
  readonly grant: Grant;
  /** Absent: the default, which has no captures. */
  readonly rule?: Rule;
}

/** Permissions on workspaces of GoodData: of people by rules, of groups by `workspaces`. */
export function checkWorkspaces(config: Partial<Config>): Checked {
  const grants = grantsOf(config);
  const targets = Object.entries(config.targets ?? {}).flatMap(([name, target]) =>
    target.type === 'gooddata' ? [[name, target] as const] : [],
  );
  return {
    complaints: targets.flatMap(([name]) =>
      grants.flatMap(({ path, grant }) =>
        checkPermissions(grant[name]?.permissions ?? {}, [...path, name, 'permissions']),
      ),
    ),
    warnings: targets.flatMap(([name, { workspaces }]) =>
      Object.keys(workspaces).flatMap((group) => neverGiven(name, group, grants)),
    ),
  };
}

function grantsOf({ rules, default: fallback }: Partial<Config>): readonly Given[] {
  const ofRules = Object.entries(rules ?? {}).flatMap(([name, rule]) =>
    rule.grant === undefined ? [] : [{ path: ['rules', name, 'grant'], grant: rule.grant, rule }],
  );
  return fallback?.grant === undefined ? ofRules : [...ofRules, { path: ['default', 'grant'], grant: fallback.grant }];
}

function checkPermissions(permissions: Grant[string]['permissions'], path: Path): readonly Finding[] {
  return Object.entries(permissions).flatMap(([workspace, names]) => {
    const place = [...path, workspace];
    return [...checkWorkspace(workspace, place), ...names.flatMap((name) => checkName(name, place))];
  });
}

function checkWorkspace(workspace: string, path: Path): readonly Finding[] {
  if (isTemplate(workspace) || WORKSPACE_ID.test(workspace)) return [];
  const hint =
    workspace === EVERY_WORKSPACE
      ? 'give a group, and give that its permission on every workspace by targets.NAME.workspaces'
      : 'ids of workspaces are letters, digits, dots, _ and -';
  return [
    { path, at: 'key', code: 'invalid_value', message: `${showPath(path)} is not the id of one workspace`, hint },
  ];
}

function checkName(name: string, path: Path): readonly Finding[] {
  if (isTemplate(name) || (WORKSPACE_PERMISSIONS as readonly string[]).includes(name)) return [];
  const meant = nearest(name, WORKSPACE_PERMISSIONS);
  const hint = meant === undefined ? `there are ${WORKSPACE_PERMISSIONS.join(', ')}` : `did you mean ${meant}?`;
  return [
    { path, code: 'not_an_option', message: `${showPath(path)} has a permission that GoodData does not have`, hint },
  ];
}

function neverGiven(target: string, group: string, grants: readonly Given[]): readonly Finding[] {
  const names = grants.flatMap(({ grant, rule }) => (grant[target]?.groups ?? []).map((name) => ({ name, rule })));
  const isGiven = names.some(({ name, rule }) =>
    isTemplate(name) ? rule !== undefined && couldBe(rule, name, group) : name === group,
  );
  // What looks like an id that was made of another name cannot be told from here.
  if (isGiven || /-[0-9a-f]{8}$/.test(group)) return [];
  const path = ['targets', target, 'workspaces', group];
  const meant = nearest(
    group,
    names.map(({ name }) => name).filter((name) => !isTemplate(name)),
  );
  return [
    {
      path,
      at: 'key',
      code: 'group_not_given',
      message: `${showPath(path)}: no rule gives anybody this group in ${target}`,
      hint: meant === undefined ? 'it has these permissions only if somebody else makes it' : `did you mean ${meant}?`,
    },
  ];
}

function isTemplate(name: string): boolean {
  return name.includes('${');
}
