import { lookup } from 'node:dns/promises';
import type { Config } from '../../config/schema.ts';
import { mappingConfigOf } from '../../mapping/config.ts';
import { literalEntitlements } from '../../mapping/namable.ts';
import { entitlementKey } from '../../model/entitlement.ts';
import type { LatchgateError } from '../../model/errors.ts';
import { isServed, type TargetConfig } from '../../targets/schema.ts';
import type { ComposedTarget } from '../engine.ts';
import { type Examined, type Finding, finding } from './findings.ts';
import { isPublicAddress } from './look-at-file.ts';
import { isCode, look, notTried, type Patient } from './patient.ts';

/** The service account of a target and what it may do, what rules name there, and whether others get to the backend. */
export async function lookAtTarget(
  name: string,
  target: ComposedTarget,
  patient: Patient,
): Promise<readonly Examined[]> {
  const about = `targets.${name}`;
  const { config } = target;
  const others = isServed(config) ? [look(about, 'who gets to the backend', () => openBackend(about, config))] : [];
  let isThere = false;
  const probe = await look(about, 'the service account and its rights', async (signal) => {
    const findings = await lookAtRights(about, target, signal);
    isThere = findings.length === 0;
    return findings;
  });
  const names = 'what rules and the default name there';
  if (!isThere)
    return [probe, notTried(about, names, 'the service account has to get in first'), ...(await Promise.all(others))];
  const { registrar } = target;
  return Promise.all([
    probe,
    look(about, names, (signal) => missingNames(about, target, patient.config, signal)),
    ...(registrar === undefined
      ? []
      : [
          look(about, 'our keys', async (signal) => {
            const missing = await registrar.missing(signal);
            if (missing.length === 0) return [];
            return [
              finding('gooddata_key_missing', about, `of our keys ${missing.join(', ')} is not registered there`),
            ];
          }),
        ]),
    ...others,
  ]);
}

async function lookAtRights(
  about: string,
  { target, config }: ComposedTarget,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    await target.probe(signal);
    return [];
  } catch (thrown) {
    if (isCode(thrown, 'target_unavailable')) return [finding('target_unreachable', about, thrown.message)];
    if (isCode(thrown, 'target_answer_invalid', 'answer_too_large')) {
      return [finding('target_not_itself', about, thrown.message)];
    }
    if (isCode(thrown, 'target_refused')) return [refused(about, config, thrown)];
    throw thrown;
  }
}

/** Rights are told by name, or by 403; anything else says that nobody knows us there. */
function refused(about: string, config: TargetConfig, { message, detail }: LatchgateError): Finding {
  const { status, permission, scopes, account } = detail;
  if (status === 403 || [permission, scopes, account].some((one) => one !== undefined)) {
    return finding('target_rights_missing', about, message);
  }
  const isAssertion = config.type === 'superset' && config.sign_in === 'assertion';
  const seen = status === undefined ? message : `${message} (${status})`;
  return finding(isAssertion ? 'superset_assertion_refused' : 'target_refuses', about, seen);
}

/** What is given by its exact name and would not be made. Names that come from claims are seen at logins. */
async function missingNames(
  about: string,
  { target, missing }: ComposedTarget,
  config: Config,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const named = literalEntitlements(mappingConfigOf(config), target.name).filter(({ kind }) => {
    const policy = kind === 'role' ? missing.roles : missing.groups;
    return policy === 'refuse' || !target.can.creates.includes(kind);
  });
  if (named.length === 0) return [];
  const there = new Set((await target.find(named, signal)).map(entitlementKey));
  return named
    .filter((one) => !there.has(entitlementKey(one)))
    .map((one) => {
      const on = one.scope === undefined ? '' : ` on ${one.scope}`;
      return finding(
        'entitlement_missing',
        about,
        `the ${one.kind} ${one.name}${on}, given by ${one.rule}, is not there`,
      );
    });
}

/** Superset in header mode believes whoever gets to it. */
async function openBackend(about: string, config: TargetConfig): Promise<readonly Finding[]> {
  if (config.type !== 'superset' || config.sign_in !== 'header') return [];
  const { hostname } = new URL(config.url);
  const addresses = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
  const open = addresses.find(({ address }) => isPublicAddress(address));
  if (open === undefined) return [];
  const seen = `${hostname} has the public address ${open.address}, and Superset believes ${config.sign_in_header} of everybody who gets there`;
  return [finding('backend_public', about, seen)];
}
