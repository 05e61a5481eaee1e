import type { ServerMetadata } from 'openid-client';
import type { Config } from '../../config/schema.ts';
import { createCredentials } from '../../login/oidc-client.ts';
import type { OidcLoginConfig } from '../../login/schema.ts';
import { compileClaimName, findClaim } from '../../mapping/claims.ts';
import { firstUnknown } from '../../mapping/not-recorded.ts';
import { LatchgateError, toLatchgateError } from '../../model/errors.ts';
import type { HttpClient } from '../../ops/http-client.ts';
import { type Examined, type Finding, finding } from './findings.ts';
import { look, notTried, type Patient } from './patient.ts';

const MOST_SKEW_MS = 60_000;
const ASYMMETRIC = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/;
/** RFC 7517 §4.1: what keys of these algorithms are. */
const KEY_TYPES: Readonly<Record<string, string>> = { R: 'RSA', P: 'RSA', E: 'EC' };
/** A code that no provider gave. */
const NO_CODE = 'latchgate-doctor-is-no-code';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

interface Login {
  readonly name: string;
  readonly about: string;
  readonly config: OidcLoginConfig;
  readonly redirectUri: string;
  readonly http: HttpClient;
  readonly patient: Patient;
}

/** What can be seen of an identity provider without a person who logs in. */
export async function lookAtLogin(
  name: string,
  config: OidcLoginConfig,
  patient: Patient,
): Promise<readonly Examined[]> {
  const { config: whole, http } = patient;
  const about = `login.${name}`;
  const redirectUri = `${whole.public_url}/.latchgate/callback/${name}`;
  const login: Login = { name, about, config, redirectUri, http, patient };
  const said = look(about, 'claims that were recorded', () => claims(login));
  let metadata: ServerMetadata | undefined;
  const discovery = await look(about, 'discovery and clock', async (signal) => {
    const read = await discover(login, signal);
    metadata = read.metadata;
    return read.findings;
  });
  if (metadata === undefined) {
    const why = 'the discovery document was not read';
    return [discovery, notTried(about, 'keys, client, redirect URI', why), await said];
  }
  const found = metadata;
  return Promise.all([
    discovery,
    look(about, 'what the provider can do', async () => abilities(login, found)),
    look(about, 'signing keys', (signal) => keys(login, found, signal)),
    look(about, 'the client at the token endpoint', (signal) => asked(client(login, found, signal))),
    look(about, 'the redirect URI', (signal) => asked(redirectUriKnown(login, found, signal))),
    said,
  ]);
}

/** What is called is a provider, and no target. */
function ofProvider(thrown: unknown): LatchgateError {
  const error = toLatchgateError(thrown);
  if (error.code !== 'target_unavailable') return error;
  return new LatchgateError('provider_unavailable', error.message, { cause: error });
}

function asked<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((thrown: unknown) => {
    throw ofProvider(thrown);
  });
}

async function get({ http, config }: Login, url: string, signal: AbortSignal) {
  return http.send({
    method: 'GET',
    url: new URL(url),
    headers: { accept: 'application/json' },
    signal,
    timeoutMs: config.timeout,
  });
}

async function discover(
  login: Login,
  signal: AbortSignal,
): Promise<{ readonly metadata?: ServerMetadata; readonly findings: readonly Finding[] }> {
  const { about, config, patient } = login;
  const address = `${config.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const before = patient.clock.now();
  let metadata: ServerMetadata;
  let date: string | undefined;
  try {
    const response = await get(login, address, signal);
    if (response.status !== 200) {
      return { findings: [finding('provider_unreachable', about, `${address} answers ${response.status}`)] };
    }
    date = response.headers['date'];
    metadata = metadataIn(response.json());
  } catch (thrown) {
    const { code } = ofProvider(thrown);
    const isOther = code === 'target_answer_invalid' || code === 'provider_metadata_invalid';
    if (isOther)
      return { findings: [finding('provider_metadata_invalid', about, `${address} is no discovery document`)] };
    return { findings: [finding('provider_unreachable', about, `${address} does not answer (${code})`)] };
  }
  const skew = skewed(about, date, (before + patient.clock.now()) / 2);
  if (new URL(metadata.issuer).href === new URL(config.issuer).href) return { metadata, findings: skew };
  const seen = `the provider calls itself ${metadata.issuer}, the config ${config.issuer}`;
  return { findings: [...skew, finding('provider_issuer_differs', about, seen)] };
}

const ADDRESSES = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const;

function metadataIn(body: unknown): ServerMetadata {
  const metadata = body as ServerMetadata;
  const isOne =
    typeof body === 'object' &&
    body !== null &&
    typeof metadata.issuer === 'string' &&
    URL.canParse(metadata.issuer) &&
    ADDRESSES.every((member) => typeof metadata[member] === 'string' && URL.canParse(metadata[member]));
  if (!isOne) throw new LatchgateError('provider_metadata_invalid', 'this is no discovery document');
  return metadata;
}

/** RFC 9110 §6.6.1: whole seconds, so that anything below a minute is no finding. */
function skewed(about: string, date: string | undefined, now: number): readonly Finding[] {
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs) || Math.abs(now - theirs) <= MOST_SKEW_MS) return [];
  const seconds = Math.round((now - theirs) / 1_000);
  const seen = `the clock here is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} that of the provider`;
  return [finding('clock_skew', about, seen)];
}

function listed(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : undefined;
}

function abilities({ about, config }: Login, metadata: ServerMetadata): readonly Finding[] {
  const found: Finding[] = [];
  const algorithms = algorithmsOf(metadata);
  if (algorithms.length === 0) {
    const theirs = listed(metadata.id_token_signing_alg_values_supported)?.join(', ');
    found.push(finding('provider_alg_unusable', about, `the provider signs ID tokens with ${theirs} alone`));
  }
  const scopes = listed(metadata.scopes_supported);
  const unknown = scopes === undefined ? [] : config.scopes.filter((scope) => !scopes.includes(scope));
  if (unknown.length > 0) {
    found.push(finding('provider_scope_unknown', about, `the provider does not name the scope ${unknown.join(', ')}`));
  }
  if (metadata.end_session_endpoint === undefined) {
    found.push(finding('provider_no_logout', about, 'the provider names no end_session_endpoint'));
  }
  if (metadata['backchannel_logout_supported'] !== true) {
    found.push(finding('provider_no_backchannel', about, 'the provider does not say that it has back-channel logout'));
  }
  return found;
}

function algorithmsOf(metadata: ServerMetadata): readonly string[] {
  const theirs = listed(metadata.id_token_signing_alg_values_supported) ?? ['RS256'];
  return theirs.filter((alg) => ASYMMETRIC.test(alg));
}

async function keys(login: Login, metadata: ServerMetadata, signal: AbortSignal): Promise<readonly Finding[]> {
  const { about } = login;
  const address = metadata.jwks_uri as string;
  let shown: unknown;
  try {
    shown = (await get(login, address, signal)).json();
  } catch (thrown) {
    return [finding('provider_keys_unusable', about, `${address} shows no keys (${ofProvider(thrown).code})`)];
  }
  const all = (shown as { keys?: unknown } | null)?.keys;
  const list = Array.isArray(all) ? (all as readonly Record<string, unknown>[]) : [];
  const algorithms = algorithmsOf(metadata);
  const isUsable = (key: Record<string, unknown>): boolean =>
    (key['use'] ?? 'sig') === 'sig' &&
    algorithms.some((alg) => (key['alg'] ?? alg) === alg && key['kty'] === typeOf(alg));
  if (algorithms.length === 0 || list.some(isUsable)) return [];
  const seen = `of ${list.length} keys at ${address} none is for signatures by ${algorithms.join(', ')}`;
  return [finding('provider_keys_unusable', about, seen)];
}

function typeOf(alg: string): string {
  return /^Ed/.test(alg) ? 'OKP' : (KEY_TYPES[alg.charAt(0)] ?? '');
}

/** RFC 6749 §5.2: the client is looked at before the code is. */
async function client(login: Login, metadata: ServerMetadata, signal: AbortSignal): Promise<readonly Finding[]> {
  const { about, name, config, redirectUri, http } = login;
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code: NO_CODE,
    redirect_uri: redirectUri,
    code_verifier: NO_CODE.padEnd(43, '-'),
  });
  const headers = new Headers({ accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' });
  const authenticate = await createCredentials(name, config).authentication(metadata);
  await authenticate(metadata, { client_id: config.client_id }, body, headers);
  const init = { method: 'POST', headers, body: body.toString(), signal };
  const answer = await http.fetch(metadata.token_endpoint as string, init);
  const said = await answer.json().then(
    (json: unknown) => (json as { error?: unknown } | null)?.error,
    () => undefined,
  );
  if (answer.status !== 401 && said !== 'invalid_client' && said !== 'unauthorized_client') return [];
  const seen = `the token endpoint answers ${answer.status} ${typeof said === 'string' ? said : ''} to our client`;
  return [finding('client_refused', about, seen)];
}

/** OpenID Connect Core §3.1.2.6: whoever must not be sent back is told so on a page of the provider. */
async function redirectUriKnown(
  login: Login,
  metadata: ServerMetadata,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { about, config, redirectUri, http } = login;
  const address = new URL(metadata.authorization_endpoint as string);
  if (metadata['require_pushed_authorization_requests'] === true) return [];
  const query = {
    response_type: 'code',
    client_id: config.client_id,
    redirect_uri: redirectUri,
    scope: config.scopes.join(' '),
    state: 'latchgate-doctor',
    nonce: 'latchgate-doctor',
    prompt: 'none',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
  };
  for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
  const { status, headers, text } = await http.send({
    method: 'GET',
    url: address,
    headers: { accept: 'text/html' },
    signal,
    timeoutMs: config.timeout,
    retries: 0,
  });
  const location = headers['location'] ?? '';
  if (location.startsWith(redirectUri)) return [];
  // Entra ID tells it with 200, Google by a redirect to a page of errors.
  const isRefused = (status >= 400 && status < 500) || /AADSTS50011|redirect_uri_mismatch/.test(text + location);
  if (!isRefused && !/[?&/]authError=/.test(location)) return [];
  return [
    finding(
      'redirect_uri_refused',
      about,
      `the provider answers ${status} to a login that is to come back to ${redirectUri}`,
    ),
  ];
}

/** Of what was recorded: a claim that was never sent by anybody is one that the provider does not send. */
async function claims({ about, name, config, patient }: Login): Promise<readonly Finding[]> {
  const { state, config: whole } = patient;
  if (state === undefined) return [];
  const needed = neededOf(whole);
  const names = new Map(needed.map((attribute) => [attribute, claimsOf(config, attribute).map(compileClaimName)]));
  const seen = new Set<string>();
  let people = 0;
  for await (const page of state.directory.listings.claims(config.issuer, name)) {
    for (const row of page) {
      people += 1;
      const sent = JSON.parse(row.claims) as Record<string, unknown>;
      for (const [attribute, candidates] of names) {
        const isSaid = findClaim(sent, candidates) !== undefined || firstUnknown(sent, candidates) !== undefined;
        if (isSaid) seen.add(attribute);
      }
    }
    if (seen.size === needed.length) return [];
  }
  if (people === 0) return [];
  return needed
    .filter((attribute) => !seen.has(attribute))
    .map((attribute) => {
      const from = claimsOf(config, attribute).join(' or ');
      return finding(
        'claim_missing',
        about,
        `of ${people} people nobody ever came with ${from}, from which ${attribute} is read`,
      );
    });
}

/** What decides: `identity.require`, and groups where rules look at them. */
function neededOf({ identity, rules }: Config): readonly string[] {
  const isByGroups = Object.values(rules).some(
    ({ when }) => when !== undefined && JSON.stringify(when).includes('"groups"'),
  );
  return [...new Set([...identity.require, ...(isByGroups ? ['groups'] : [])])];
}

function claimsOf({ claims: config }: OidcLoginConfig, attribute: string): readonly string[] {
  const named: unknown = (config as Readonly<Record<string, unknown>>)[attribute];
  return Array.isArray(named) ? named.map(String) : [attribute];
}
