import { z } from 'zod';
import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';
import { userRecord } from '../../ops/auth0/documents.ts';
import type { HttpResponse } from '../../ops/http-client.ts';
import { randomText } from '../../ops/random.ts';
import { markOf, toAccount, toNames } from './documents.ts';
import type { WriteParts } from './parts.ts';
import { conflict, refusal, refuseProtected } from './refusals.ts';

const ATTEMPTS = 3;

/**
 * One POST, without roles. Whether one whose answer got lost was done is looked up before another one is sent; an account
 * that is there already counts as ours when it carries the mark of this person.
 */
export async function createAccount(parts: WriteParts, changes: ChangeSet, signal: AbortSignal): Promise<Applied> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await post(parts, changes, signal);
      if (response.status === 201) return { outcome: 'applied', account: await made(parts, response, signal) };
      if (response.status === 400) throw refusal(response, 'POST users');
      return { outcome: 'already', account: await existing(parts, changes, signal) };
    } catch (thrown) {
      if (!mayBeDone(thrown) || attempt === ATTEMPTS || signal.aborted) throw thrown;
      const account = await findOwn(parts, changes, signal);
      if (account !== undefined) return { outcome: 'applied', account };
    }
  }
}

function post(parts: WriteParts, changes: ChangeSet, signal: AbortSignal): Promise<HttpResponse> {
  const { api, view, verifyEmail, emailVerified } = parts;
  const { profile, desired, userName } = changes;
  const names = Object.entries(toNames(profile)).filter(([, value]) => value !== null && value !== '');
  const body = {
    connection: view.connection,
    email: profile.email ?? userName,
    password: unusablePassword(),
    verify_email: verifyEmail,
    ...(emailVerified ? { email_verified: true } : {}),
    ...Object.fromEntries(names),
    ...markOf(desired.externalId),
  };
  return api.call({ method: 'POST', path: ['users'], body, repeatable: false, signal }, [201, 400, 409]);
}

/** Nobody knows it, and it passes the strictest of Auth0's own rules for passwords. */
function unusablePassword(): string {
  return `${randomText(32)}!Aa1`;
}

function mayBeDone(thrown: unknown): boolean {
  if (!(thrown instanceof LatchgateError) || thrown.code !== 'target_unavailable') return false;
  return thrown.detail['status'] !== 429 && thrown.detail['timeout'] !== true;
}

async function made(parts: WriteParts, response: HttpResponse, signal: AbortSignal): Promise<ActualAccount> {
  const account = toAccount(parts.api.parse(userRecord, response), [], parts.view);
  if (account === undefined) {
    throw new LatchgateError('target_answer_invalid', 'Auth0 made an account in another connection than asked for');
  }
  await invite(parts, account, signal);
  return account;
}

/** After 409: made by another instance, or by a run of ours whose writing the list of users did not show yet. */
async function existing(parts: WriteParts, changes: ChangeSet, signal: AbortSignal): Promise<ActualAccount> {
  const account = await findOwn(parts, changes, signal);
  // Somebody else's making: the next plan finds it, and treats it as one that was there before us.
  if (account === undefined) throw conflict('an account with this e-mail is there since a moment ago');
  if (!account.active) throw conflict('the account was blocked since a moment ago');
  return account;
}

async function findOwn(
  { accounts }: WriteParts,
  { profile, desired, userName }: ChangeSet,
  signal: AbortSignal,
): Promise<ActualAccount | undefined> {
  const found = await accounts.byEmail(profile.email ?? userName, signal);
  const own = found.find(({ externalId }) => externalId !== undefined && externalId === desired.externalId);
  if (own !== undefined) refuseProtected(own);
  return own;
}

const ticketAnswer = z.object({ ticket: z.string().min(1) });

/** The account stands without: its owner can ask for a new password at the login, too. */
async function invite(
  { api, invite: options, now, log }: WriteParts,
  account: ActualAccount,
  signal: AbortSignal,
): Promise<void> {
  if (options === undefined) return;
  const { validMs, returnTo, deliver } = options;
  const body = {
    user_id: account.id,
    ttl_sec: Math.floor(validMs / 1_000),
    ...(returnTo === undefined ? {} : { result_url: returnTo }),
  };
  try {
    const call = { method: 'POST', path: ['tickets', 'password-change'], body, signal } as const;
    const { ticket } = api.parse(ticketAnswer, await api.call(call, [201]));
    await deliver({
      email: account.profile.email ?? '',
      accountId: account.id,
      link: ticket,
      expiresAt: now() + validMs,
    });
  } catch (error) {
    log.warn('an account was made, and its owner could not be invited', { account: account.id, error });
  }
}
