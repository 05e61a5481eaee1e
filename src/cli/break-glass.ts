import type { Audit } from '../audit/audit.ts';
import { durationMs } from '../config/values.ts';
import type { BreakGlass } from '../login/break-glass.ts';
import { LatchgateError } from '../model/errors.ts';
import { newRequestId } from '../ops/request-id.ts';
import type { Io } from './io.ts';
import { onePerson, type WhoDeps } from './one-person.ts';
import { printable, timeText } from './table.ts';

const OPERATOR = 'operator';

export interface BreakGlassCommandDeps extends WhoDeps {
  readonly audit: Pick<Audit, 'append'>;
  readonly links: Pick<BreakGlass, 'make'>;
  /** Names of the logins of the config. */
  readonly logins: readonly string[];
  readonly publicUrl: string;
}

export interface BreakGlassOptions {
  readonly reason?: string;
  /** `30m`, `8h`; default 1h. */
  readonly session?: string;
  readonly json?: boolean;
}

/**
 * `latchgate break-glass U --reason TEXT`: prints, alone on standard output, a link that logs U in once within fifteen
 * minutes while the identity provider is down, by what it last said of them. Nobody gets in who was never here, is
 * disabled or has left. The text must name one person exactly. Exit code 0. Throws `not_found`, `usage`. With `json`:
 * `id`, `link`, `expiresAt`.
 */
export async function breakGlass(
  who: string,
  options: BreakGlassOptions,
  deps: BreakGlassCommandDeps,
  io: Io,
): Promise<number> {
  const reason = options.reason?.trim() ?? '';
  if (reason === '') throw new LatchgateError('usage', '--reason says in the audit why this is necessary');
  const sessionMs = lengthOf(options.session ?? '1h');
  const person = await onePerson(deps, who, { partial: false });
  const name = `${printable(person.displayName)} (${person.id})`;
  if (person.disabled || person.leftAt !== undefined) {
    throw new LatchgateError(
      'usage',
      `${name} ${person.disabled ? 'is disabled' : 'has left'}, and no link changes that`,
    );
  }
  const said = (await deps.people.assertions(person.id)).filter(
    (one) => deps.logins.includes(one.origin) && one.isUnverified !== true,
  );
  const [latest] = said.toSorted((a, b) => b.at.getTime() - a.at.getTime());
  if (latest === undefined || !latest.active) {
    throw new LatchgateError('usage', `no login has ever said anything of ${name} that would let them in`);
  }
  const { origin, issuer, subject } = latest;
  const requestId = newRequestId();
  const entry = { event: 'break_glass.made', actor: OPERATOR, person: person.id, origin, requestId, after: { reason } };
  // The audit first: what is not audited counts as not done.
  await deps.audit.append([entry]);
  const { handle, expiresAt } = await deps.links.make({ person: person.id, origin, issuer, subject, sessionMs });
  const link = `${deps.publicUrl}/.latchgate/break-glass?link=${handle}`;
  if (options.json === true) {
    io.out(JSON.stringify({ id: person.id, link, expiresAt }));
    return 0;
  }
  io.out(link);
  io.err(`for ${name}, by what ${origin} said at ${timeText(latest.at)}; works once, until ${timeText(expiresAt)}`);
  return 0;
}

function lengthOf(text: string): number {
  const { data } = durationMs.safeParse(text);
  if (data === undefined) throw new LatchgateError('usage', '--session is how long the session may be: 30m, 8h');
  return data;
}
