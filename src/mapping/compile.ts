import { LatchgateError } from '../model/errors.ts';
import { compileCondition } from './conditions.ts';
import type { MappingConfig } from './config.ts';
import type { CompiledGrant, CompiledRule } from './rules.ts';
import type { GrantConfig } from './schema.ts';
import { type CaptureSources, captureSources, compileTemplates, NO_SOURCES } from './templates.ts';

export interface CompiledRules {
  readonly rules: readonly CompiledRule[];
  readonly byDefault: readonly CompiledGrant[];
}

/** Throws `config_invalid` for a bad pattern, a target that is not there, or a `${…}` that nothing captures. */
export function compileRules(config: MappingConfig): CompiledRules {
  const targets = new Set(Object.keys(config.targets));
  const rules = Object.entries(config.rules).map(([name, rule]) => {
    const condition = compileCondition(rule.when);
    const sources = captureSources(condition.lines);
    const grants = compileGrants(`rules.${name}.grant`, rule.grant, sources, targets);
    return { name, condition, sources, grants, deny: rule.deny };
  });
  return { rules, byDefault: compileGrants('default.grant', config.default.grant, NO_SOURCES, targets) };
}

function compileGrants(
  path: string,
  grant: GrantConfig | undefined,
  sources: CaptureSources,
  targets: ReadonlySet<string>,
): readonly CompiledGrant[] {
  return Object.entries(grant ?? {}).map(([target, given]) => {
    if (!targets.has(target)) throw invalid(`${path}: there is no target ${target}`);
    const templates = compileTemplates(given, sources, (name) => {
      throw invalid(`${path}.${target}: ${unknownCapture(name)}`);
    });
    return { target, templates };
  });
}

function unknownCapture(name: string): string {
  const placeholder = `\${${name}}`;
  return name === 'match'
    ? `${placeholder} needs a line groups, or one line alone, in when`
    : `${placeholder} is not captured by exactly one line of when: (?<${name}>…) in a pattern that begins with ~`;
}

function invalid(message: string): LatchgateError {
  return new LatchgateError('config_invalid', message);
}
