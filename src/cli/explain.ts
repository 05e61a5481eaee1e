import { claimedAssertion } from '../compose/claimed.ts';
import { decodeText, readFileUpTo } from '../config/files.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { mappingConfigOf } from '../mapping/config.ts';
import { type ExplainJson, explainJson, type TargetPlan } from '../mapping/explain-json.ts';
import { compileMapping } from '../mapping/mapping.ts';
import { renderTraceText } from '../mapping/render.ts';
import type { Decision } from '../model/desired.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Assertion } from '../model/person.ts';
import { type Io, isColored } from './io.ts';

export interface ExplainOptions {
  readonly config: string;
  /** Name of a login. */
  readonly origin: string;
  /** File with the claims as one JSON object; `-` is standard input. Either this or `token`. */
  readonly claims?: string;
  /** File with a token of the provider, which is verified; `-` is standard input. */
  readonly token?: string;
  /** Also the changes against what this target has. */
  readonly target?: string;
  readonly json?: boolean;
}

/** What needs the network, and standard input. Without them `--claims` alone works. */
export interface ExplainParts {
  /** Throws `token_invalid` and the like. */
  readonly verifyToken?: (origin: string, token: string) => Promise<Assertion>;
  /** Reads the target and writes nothing. */
  readonly planFor?: (decision: Decision, target: string, assertion: Assertion) => Promise<TargetPlan>;
  readonly stdin?: AsyncIterable<Uint8Array | string>;
}

const INPUT_LIMIT_BYTES = 1_048_576;

const EXIT_CODES = { allow: 0, deny: 3, held: 11 } as const;

/**
 * `latchgate explain`: what a person with these claims would get, and why. Writes nothing anywhere. With `--claims` alone
 * it needs no network and no state: groups of earlier logins and other origins of the person are not looked at.
 * Exit code 0 allowed, 3 denied, 11 something is held. Throws ConfigError, and LatchgateError `usage`, `not_found`.
 */
export async function explain(options: ExplainOptions, io: Io, parts: ExplainParts = {}): Promise<number> {
  const config = loadConfig(options.config, { env: io.env });
  const { origin, target } = options;
  if (!Object.hasOwn(config.login, origin)) throw unknownName('login', origin, Object.keys(config.login));
  if (target !== undefined && !Object.hasOwn(config.targets, target)) {
    throw unknownName('target', target, Object.keys(config.targets));
  }
  const assertion = await readAssertion(options, config, parts);
  const mapping = compileMapping(mappingConfigOf(config));
  const decision = mapping.map({ person: 'explained', assertions: [assertion], current: origin });
  const plans = new Map<string, TargetPlan>();
  if (target !== undefined) {
    if (parts.planFor === undefined) throw new LatchgateError('usage', 'explain --target needs access to the target');
    plans.set(target, await parts.planFor(decision, target, assertion));
  }
  const verified = options.token !== undefined;
  const explained = explainJson(decision, plans);
  if (options.json === true) io.out(JSON.stringify({ ...explained, verified }, null, 2));
  else print(decision, plans, verified, io);
  return exitCode(explained);
}

function print(decision: Decision, plans: ReadonlyMap<string, TargetPlan>, verified: boolean, io: Io): void {
  const color = isColored(io);
  io.out(
    verified
      ? 'The token is verified: signature, issuer, audience and time hold.'
      : 'The claims are taken as they are: nobody has verified them.',
  );
  io.out(renderTraceText(decision, { color, plans }).trimEnd());
}

function exitCode({ decision }: ExplainJson): number {
  return EXIT_CODES[decision];
}

async function readAssertion(options: ExplainOptions, config: Config, parts: ExplainParts): Promise<Assertion> {
  const { claims, token, origin } = options;
  if ((claims === undefined) === (token === undefined)) {
    throw new LatchgateError('usage', 'explain takes either --claims FILE or --token FILE');
  }
  const text = await readInput(claims ?? token ?? '-', parts.stdin ?? process.stdin);
  if (claims !== undefined) return claimedAssertion(config, origin, parseClaims(text), new Date());
  if (parts.verifyToken === undefined)
    throw new LatchgateError('usage', 'explain --token needs access to the provider');
  return parts.verifyToken(origin, text.trim());
}

function parseClaims(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be somebody's claims.
    throw new LatchgateError('usage', 'the claims are not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new LatchgateError('usage', 'the claims are not one JSON object');
}

async function readInput(file: string, stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  const bytes = file === '-' ? await readStream(stdin) : readNamed(file);
  if (bytes.length > INPUT_LIMIT_BYTES) throw new LatchgateError('usage', `${file} is longer than 1 MiB`);
  const text = decodeText(bytes);
  if (text === undefined) throw new LatchgateError('usage', `${file} is not UTF-8 text`);
  return text;
}

function readNamed(file: string): Uint8Array {
  try {
    return readFileUpTo(file, INPUT_LIMIT_BYTES);
  } catch (cause) {
    throw new LatchgateError('not_found', `${file} cannot be read`, { cause });
  }
}

async function readStream(stdin: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (length > INPUT_LIMIT_BYTES) break;
  }
  return Buffer.concat(chunks);
}

function unknownName(kind: string, name: string, known: readonly string[]): LatchgateError {
  return new LatchgateError('not_found', `there is no ${kind} ${JSON.stringify(name)}; there is ${known.join(', ')}`);
}
