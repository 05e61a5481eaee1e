import { originOfHost } from '../model/origin.ts';
import { isServed } from '../targets/schema.ts';
import { type Finding, type Path, showPath } from './complaint.ts';
import { checkNames, checkPatterns, linesOf, unknownAttribute } from './conditions.ts';
import { attributeNames, type Checked, type Declared } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

/** Targets and routes: names that must exist, and routes that could never be reached. */
export function checkRoutes(config: Partial<Config>, declared: Declared): Checked {
  const routes = config.routes ?? [];
  const none: Finding[] =
    config.targets !== undefined && declared.targets.size === 0
      ? [
          {
            path: ['targets'],
            at: 'key',
            code: 'missing_key',
            message: '`targets` has no entry',
            hint: 'name at least one backend',
          },
        ]
      : [];
  return {
    complaints: [
      ...none,
      ...Object.entries(config.targets ?? {}).flatMap((target) => checkTarget(target, declared)),
      ...routes.flatMap((route, index) => checkRoute(route, ['routes', index], config, declared)),
      ...duplicates(config),
    ],
    warnings: withoutGrant(config),
  };
}

type Routes = Config['routes'];

/** A complaint that names no target of the file, with the nearest one. */
export function unknownTarget(
  name: string,
  path: Path,
  declared: Declared,
  at: 'key' | 'value' = 'value',
): readonly Finding[] {
  if (declared.targets.has(name)) return [];
  const meant = nearest(name, declared.targets);
  const hint = meant === undefined ? `the targets are ${[...declared.targets].join(', ')}` : `did you mean ${meant}?`;
  return [
    {
      path,
      at,
      code: 'unknown_target',
      message: `there is no target ${at === 'key' ? `\`${name}\`` : declared.show(name, path)}`,
      ...(declared.targets.size === 0 ? {} : { hint }),
    },
  ];
}

/** Attributes that are lists or yes and no make no user name. */
const NO_USER_NAME = new Set(['groups', 'origin', 'email_verified']);

function checkTarget(
  [name, target]: readonly [string, Config['targets'][string]],
  declared: Declared,
): readonly Finding[] {
  const path = ['targets', name];
  const known = attributeNames(declared);
  const found = (target.user_name ?? []).flatMap((attribute, index): readonly Finding[] => {
    const place = [...path, 'user_name', index];
    if (NO_USER_NAME.has(attribute)) {
      return [
        {
          path: place,
          code: 'invalid_value',
          message: `${showPath([...path, 'user_name'])} cannot be made from ${attribute}`,
          hint: 'take preferred_username or email',
        },
      ];
    }
    return known.has(attribute) ? [] : [unknownAttribute(attribute, place, declared, 'value')];
  });
  const origin = target.external_ids;
  if (origin !== undefined && !declared.logins.has(origin)) {
    const meant = nearest(origin, declared.logins);
    const hint = meant === undefined ? `the logins are ${[...declared.logins].join(', ')}` : `did you mean ${meant}?`;
    found.push({
      path: [...path, 'external_ids'],
      code: 'unknown_origin',
      message: `${showPath([...path, 'external_ids'])} names no login of this file`,
      hint,
    });
  }
  if (target.type === 'superset' && target.sign_in === 'header' && target.service_password === undefined) {
    const message = `${showPath(path)} signs people in by header and needs service_password`;
    const hint = `the gateway’s own account logs in with a password there: service_password: "\${file:/run/secrets/superset}"`;
    found.push({ path: [...path, 'sign_in'], code: 'service_password_missing', message, hint });
  }
  return found;
}

function unknownLogin(name: string | undefined, path: Path, { logins }: Declared): readonly Finding[] {
  if (name === undefined || logins.has(name)) return [];
  const meant = nearest(name, logins);
  const hint = meant === undefined ? `the logins are ${[...logins].join(', ')}` : `did you mean ${meant}?`;
  return [{ path, code: 'unknown_origin', message: `${showPath(path)} names no login of this file`, hint }];
}

const OWN_PREFIX = '/.latchgate';

function checkRoute(
  route: Routes[number],
  path: Path,
  { targets = {} }: Partial<Config>,
  declared: Declared,
): readonly Finding[] {
  const lines = linesOf(route.when, [...path, 'when']);
  const found = [
    ...unknownTarget(route.to, [...path, 'to'], declared),
    ...unknownLogin(route.login, [...path, 'login'], declared),
    ...lines.flatMap((line) => checkPatterns(line.values, line.path)),
    ...checkNames(lines, declared),
  ];
  const target = targets[route.to];
  if (target !== undefined && !isServed(target)) {
    const what = target.type === 'auth0' ? 'an auth0' : 'a scim';
    const message = `${showPath([...path, 'to'])} leads to ${what} target, which has accounts and no pages`;
    const hint = 'lead it to the application that people use';
    found.push({ path: [...path, 'to'], code: 'target_without_pages', message, hint });
  }
  if (route.path === OWN_PREFIX || route.path.startsWith(`${OWN_PREFIX}/`)) {
    found.push({
      path: [...path, 'path'],
      code: 'unreachable',
      message: `paths under ${OWN_PREFIX} are the gateway’s own and never reach a route`,
    });
  }
  if (route.public && route.when !== undefined) {
    const message = `${showPath([...path, 'when'])} does nothing on a public route: nobody is known there`;
    found.push({ path: [...path, 'when'], at: 'key', code: 'no_effect', message, hint: 'take out when or public' });
  }
  return found;
}

function duplicates({ routes = [], public_url: publicUrl = 'https://localhost' }: Partial<Config>): readonly Finding[] {
  const isSame = (one: Routes[number], other: Routes[number]): boolean =>
    originOfHost(publicUrl, one.host) === originOfHost(publicUrl, other.host) && isSamePath(one.path, other.path);
  return routes.flatMap((route, index): Finding[] => {
    const other = routes.findIndex(
      (earlier, at) => at < index && isSame(earlier, route) && shareMethod(earlier, route),
    );
    if (other === -1) return [];
    const message = `\`routes[${index}]\` has the path of \`routes[${other}]\`, which takes its requests first`;
    return [
      {
        path: ['routes', index, 'path'],
        code: 'duplicate_route',
        message,
        hint: 'join the two, or give each its own methods, the one for all methods last',
      },
    ];
  });
}

function isSamePath(one: string, other: string): boolean {
  const plain = (path: string): string => path.replace(/\/$/, '');
  return plain(one) === plain(other);
}

/** Among routes of one path the first in the file that takes the method serves; HEAD is served where GET is. */
function shareMethod(earlier: Routes[number], later: Routes[number]): boolean {
  if (earlier.methods === undefined) return true;
  const served = new Set([...earlier.methods, ...(earlier.methods.includes('GET') ? ['HEAD'] : [])]);
  return later.methods?.some((method) => served.has(method)) ?? false;
}

/** Nobody gets past such a route, because nobody is given an account there. */
function withoutGrant({ routes = [], rules, default: fallback, targets = {} }: Partial<Config>): readonly Finding[] {
  if (rules === undefined || fallback === undefined) return [];
  const granted = new Set([...Object.values(rules), fallback].flatMap((rule) => Object.keys(rule.grant ?? {})));
  return routes.flatMap((route, index): Finding[] => {
    if (route.public || granted.has(route.to) || !Object.hasOwn(targets, route.to)) return [];
    const message = `nobody gets past \`routes[${index}]\`: no rule gives anything in ${route.to}, nor does default`;
    const hint = `an account without entitlements is default: { grant: { ${route.to}: {} } }`;
    return [{ path: ['routes', index, 'to'], code: 'route_without_grant', message, hint }];
  });
}
