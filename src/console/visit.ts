import type { Request, Response } from 'express';
import { readForm } from '../login/form-body.ts';
import { LatchgateError } from '../model/errors.ts';
import type { ConsoleDeps } from './deps.ts';
import type { Note, Page } from './page.ts';
import { isFormToken, type Operator } from './sessions.ts';

const MOST_FORM_BYTES = 262_144;

/** One request of somebody who may look. */
export interface Visit {
  readonly deps: ConsoleDeps;
  readonly operator: Operator;
  readonly requestId: string;
  readonly query: URLSearchParams;
  /** A part of the path. */
  part(name: string): string;
}

/** A page that only shows. */
export type Show = (visit: Visit) => Promise<Page>;

/** What a form asks for that changes nothing: it is no address because of what is in it. */
export type Answer = (visit: Visit, form: URLSearchParams) => Promise<Page>;

/** What only operators do. Says where to go next, and what to say there; or why it was not done. */
export type Act = (visit: Visit, form: URLSearchParams) => Promise<Done | Page>;

export interface Done {
  readonly next: string;
  readonly note: NoteName;
}

/** What a page says of the action before it. Only the name travels in an address, which anybody can write. */
const NOTES = {
  disabled: ['done', 'Disabled: no new login, no session, and the accounts are being switched off.'],
  'disabled-partly': ['stop', 'Disabled, and out. Not every target could be told yet; it is tried again by itself.'],
  enabled: ['done', 'May log in again. The next login gives what the rules give.'],
  'sessions-ended': ['done', 'The sessions have ended, on every instance.'],
  'session-ended': ['done', 'The session has ended, on every instance.'],
  approved: ['done', 'Approved. It is being applied now, if it is still true; reload to see how it went.'],
  repaired: ['done', 'Repaired: the target is as it is to be. Compare again to see the rest.'],
  adopted: ['done', 'Adopted as it is. Nothing was written to the target.'],
  'pin-lifted': ['done', 'Lifted: the rules decide about it again.'],
  'pin-lifted-partly': ['stop', 'Lifted. The target could not be told yet; it is tried again by itself.'],
  rejected: ['done', 'Rejected. Nothing was written, and the very same plan is not asked about again.'],
} as const satisfies Record<string, readonly [Note['tone'], string]>;

export type NoteName = keyof typeof NOTES;

export function noteAddress({ next, note }: Done, requestId: string): string {
  return `${next}?${new URLSearchParams({ done: note, request: requestId })}`;
}

export function noteFrom(query: URLSearchParams): Note | undefined {
  const name = query.get('done') ?? '';
  const requestId = query.get('request') ?? '';
  if (!Object.hasOwn(NOTES, name) || !/^[0-9a-z]{16}$/.test(requestId)) return undefined;
  const [tone, text] = NOTES[name as NoteName];
  return { tone, text, requestId };
}

export function queryOf({ originalUrl }: Pick<Request, 'originalUrl'>): URLSearchParams {
  const at = originalUrl.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : originalUrl.slice(at + 1));
}

/**
 * The form of a post that a page of ours made for this very session. What a browser says of where it comes from has to
 * be ours, and has to be said. Throws `origin_not_allowed`, `operator_form_stale`, `request_invalid`.
 */
export async function ownForm(
  req: Request,
  res: Response,
  { adminUrl }: Pick<ConsoleDeps, 'adminUrl'>,
  operator: Operator,
): Promise<URLSearchParams> {
  const { origin, 'sec-fetch-site': site } = req.headers;
  const isOwn = origin === undefined ? site === 'same-origin' : origin === new URL(adminUrl).origin;
  if (!isOwn || (site !== undefined && site !== 'same-origin')) {
    res.setHeader('Connection', 'close');
    throw new LatchgateError('origin_not_allowed', 'a post from elsewhere');
  }
  const form = await readForm(req, MOST_FORM_BYTES).catch((thrown: unknown) => {
    if (!req.complete) res.setHeader('Connection', 'close');
    throw thrown;
  });
  const [token, ...more] = form.getAll('token');
  if (more.length > 0 || !isFormToken(operator, token)) {
    throw new LatchgateError('operator_form_stale', 'the form has no token of this session');
  }
  return form;
}
