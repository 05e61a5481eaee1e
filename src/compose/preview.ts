import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../config/schema.ts';
import type { Directory } from '../directory/directory.ts';
import { mappingConfigOf } from '../mapping/config.ts';
import { compileMapping } from '../mapping/mapping.ts';
import { compilePrivileged } from '../mapping/privileged.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Log } from '../ops/log.ts';
import { createSigner } from '../ops/signer.ts';
import type { PreviewParts } from '../preview/preview.ts';
import type { Side, SideTarget } from '../preview/side.ts';
import { compileNeverTouch } from '../provisioning/never-touch.ts';
import { composeTarget } from './engine.ts';

interface PreviewState {
  readonly directory: Directory;
  readonly clock: Clock;
  readonly log: Log;
}

/** Two configs over the state of the first. Throws `config_invalid` for a rule that cannot be compiled. */
export function composePreview(before: Config, after: Config, state: PreviewState): Omit<PreviewParts, 'since'> {
  const renamed = renamedLogins(before, after);
  return {
    directory: state.directory,
    clock: state.clock,
    before: sideOf(before, state),
    after: sideOf(after, state),
    renamed,
    notes: notesOn(before, after, renamed),
  };
}

function sideOf(config: Config, state: PreviewState): Side {
  const mapping = mappingConfigOf(config);
  const targets = Object.keys(config.targets).map((name) => [name, targetOf(name, config, state)] as const);
  return {
    mapping: compileMapping(mapping),
    targets: new Map(targets),
    leaver: config.safety.leaver,
    neverTouch: compileNeverTouch(config.safety.never_touch),
    isPrivileged: compilePrivileged(mapping.privileged),
    reaches: (origin, target) =>
      !Object.hasOwn(config.sources, origin) ||
      Object.values(config.sync).some(({ from, to }) => from === origin && to === target),
  };
}

function targetOf(name: string, config: Config, state: PreviewState): SideTarget {
  const target = config.targets[name];
  if (target === undefined) throw new LatchgateError('internal', 'a target of the config is not there');
  const { directory, clock } = state;
  const { secrets } = config.session;
  const signer = createSigner({ values: directory.values, name: 'assertion', alg: 'ES256', secrets, clock });
  const { target: known, missing } = composeTarget({ name, target, config, state, http: nobody, signer });
  return { known, missing, fingerprint: JSON.stringify([target, config.safety.never_touch, config.safety.leaver]) };
}

/** Whoever would ask a target in a preview is told that it is a mistake. */
const nobody: HttpClient = {
  send: async ({ url }) => {
    throw new LatchgateError('internal', 'a preview asks nobody', { detail: { host: url.host } });
  },
  fetch: async () => {
    throw new LatchgateError('internal', 'a preview asks nobody');
  },
  close: async () => {},
};

/** Logins whose people come by another name from now on: the same issuer, and one that is neither here nor there. */
function renamedLogins({ login: old }: Config, { login: now }: Config): ReadonlyMap<string, string> {
  const renamed = new Map<string, string>();
  const fresh = Object.entries(now).filter(([name]) => !Object.hasOwn(old, name));
  for (const [name, login] of Object.entries(old)) {
    if (Object.hasOwn(now, name)) continue;
    const same = fresh.filter(([, other]) => isSameProvider(login, other));
    if (same.length === 1 && same[0] !== undefined) renamed.set(name, same[0][0]);
  }
  return renamed;
}

type Login = Config['login'][string];

function isSameProvider(one: Login, other: Login): boolean {
  if (one.type === 'saml' || other.type === 'saml') {
    return isDeepStrictEqual({ ...one, claims: undefined }, { ...other, claims: undefined });
  }
  return one.issuer === other.issuer;
}

function notesOn(before: Config, after: Config, renamed: ReadonlyMap<string, string>): readonly string[] {
  const notes: string[] = [];
  const origins = (config: Config) => Object.keys(mappingConfigOf(config).origins);
  const kept = new Set([...origins(after), ...renamed.keys()]);
  for (const [name, now] of renamed) {
    notes.push(`login ${name} is called ${now} from now on: what it said is taken as if ${now} had said it`);
  }
  for (const name of origins(before).filter((origin) => !kept.has(origin))) {
    notes.push(`${name} is no origin any more: what it said gives nothing, and who comes by it alone is not let in`);
  }
  const known = new Set([...origins(before), ...renamed.values()]);
  for (const name of origins(after).filter((origin) => !known.has(origin))) {
    notes.push(`${name} is a new origin: nothing that it says is recorded yet`);
  }
  for (const name of Object.keys(before.targets).filter((target) => !Object.hasOwn(after.targets, target))) {
    notes.push(`target ${name} is gone: its accounts stay as they are, and nobody reaches it through the gateway`);
  }
  for (const name of Object.keys(after.targets).filter((target) => !Object.hasOwn(before.targets, target))) {
    notes.push(`target ${name} is new: who has an account there already is not known here, and counts as without one`);
  }
  const unlisted = before.safety.privileged.filter((entry) => !after.safety.privileged.includes(entry));
  if (unlisted.length > 0) notes.push(`no longer privileged, and still counted as such here: ${unlisted.join(', ')}`);
  if (after.safety.manage !== 'ours') {
    notes.push(
      `safety.manage is ${after.safety.manage}: what was given by hand in a target is not known here, and may go`,
    );
  }
  return notes;
}
