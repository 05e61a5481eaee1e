import type { ActualAccount } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { ActualState, Lookup } from '../target.ts';
import { PAGE_SIZE, parseAnswer, parseBody, type SupersetApi } from './api.ts';
import { sameText, toAccount, USER_COLUMNS, userAnswer, userId, userRecord } from './documents.ts';
import { type Filter, recordQuery } from './rison.ts';

/** More pages than this is a service that goes round in circles. */
const MAX_PAGES = 10_000;
/** A search that lets more than this through was of a text that fits everybody. */
const MAX_SEARCH_PAGES = 20;
const SEARCH_ATTEMPTS = 3;
/** Control characters and halves of surrogate pairs: no account has them, and some databases fail on them. */
const UNCLEAN = /[\p{Cc}\p{Cs}]/u;

type TextColumn = 'username' | 'email';

/** Users of one Superset as accounts. */
export interface SupersetAccounts {
  byId(id: string, signal: AbortSignal): Promise<ActualAccount | undefined>;
  /** Every account whose user name or e-mail is this one but for case: Superset allows both `u1` and `U1`. */
  byText(column: TextColumn, text: string, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  /** One call when the linked account is there and has the e-mail that is asked for. Else by every key. */
  byLookup(lookup: Lookup, signal: AbortSignal): Promise<readonly ActualAccount[]>;
  all(signal: AbortSignal): Promise<ActualState>;
}

/** `serviceAccount` is our own user name: that account is protected. */
export function createAccounts(api: SupersetApi, serviceAccount: string): SupersetAccounts {
  const toAccounts = (rows: readonly unknown[]) =>
    rows.map((row) => toAccount(parseBody(userRecord, row), serviceAccount));

  const byId = async (id: string, signal: AbortSignal): Promise<ActualAccount | undefined> => {
    const number = userId(id);
    if (number === undefined) return undefined;
    const query = recordQuery(USER_COLUMNS);
    const call = { method: 'GET', path: `users/${number}`, query, signal } as const;
    const { outcome, response } = await api.call(call, [200, 'gone']);
    if (outcome === 'gone') return undefined;
    return toAccounts([parseAnswer(userAnswer, response).result])[0];
  };

  const list = async (
    filters: readonly Filter[],
    maxPages: number,
    signal: AbortSignal,
  ): Promise<{ accounts: readonly ActualAccount[]; totals: ReadonlySet<number> }> => {
    const found = new Map<string, ActualAccount>();
    const totals = new Set<number>();
    for (let page = 0; page < maxPages; page += 1) {
      const { rows, total } = await api.list({ resource: 'users', filters, columns: USER_COLUMNS, page }, signal);
      for (const account of toAccounts(rows)) found.set(account.id, account);
      totals.add(total);
      if (rows.length < PAGE_SIZE) return { accounts: [...found.values()], totals };
    }
    throw new LatchgateError('target_answer_invalid', 'the list of users does not end');
  };

  const byText = async (column: TextColumn, text: string, signal: AbortSignal): Promise<readonly ActualAccount[]> => {
    if (text === '' || UNCLEAN.test(text)) return [];
    const fits = ({ userName, profile }: ActualAccount) =>
      sameText(column === 'username' ? userName : profile.email, text);
    let before = '';
    for (let attempt = 1; ; attempt += 1) {
      const { accounts } = await list(filtersFor(column, text), MAX_SEARCH_PAGES, signal);
      const fitting = accounts.filter(fits);
      // Others mean that the text has wildcards, or that another client's list got mixed up with ours.
      const answer = accounts.map(({ id }) => id).join();
      if (fitting.length === accounts.length || answer === before || attempt === SEARCH_ATTEMPTS) return fitting;
      before = answer;
    }
  };

  const byLookup = async (lookup: Lookup, signal: AbortSignal): Promise<readonly ActualAccount[]> => {
    const { accountId, email, userNames } = lookup;
    const linked = accountId === undefined ? undefined : await byId(accountId, signal);
    if (linked !== undefined && (!email || sameText(linked.profile.email, email))) return [linked];
    const isNamed = linked !== undefined && userNames.some((name) => sameText(name, linked.userName));
    const found = await Promise.all([
      email ? byText('email', email, signal) : [],
      ...(isNamed ? [] : [...new Set(userNames)].map((name) => byText('username', name, signal))),
    ]);
    const accounts = [...(linked === undefined ? [] : [linked]), ...found.flat()];
    return [...new Map(accounts.map((account) => [account.id, account])).values()];
  };

  const all = async (signal: AbortSignal): Promise<ActualState> => {
    const once = async (): Promise<ActualState> => {
      const { accounts, totals } = await list([], MAX_PAGES, signal);
      // An account that goes while we turn pages moves another one to a page that we have read.
      return { accounts, complete: totals.size === 1 && totals.has(accounts.length) };
    };
    const first = await once();
    return first.complete ? first : once();
  };

  return { byId, byText, byLookup, all };
}

/**
 * Conditions that let through every spelling of a text, and little else. Superset's `eq` minds case on some databases;
 * `sw` and `ew` never do, but know wildcards, and on PostgreSQL `\`.
 */
export function filtersFor(col: TextColumn, text: string): readonly Filter[] {
  const isSelective = text.replaceAll('_', '').length > 3 && !/[%\\]/.test(text);
  if (!isSelective) return [{ col, opr: 'in', value: spellings(text) }];
  return [
    { col, opr: 'sw', value: text },
    { col, opr: 'ew', value: text },
  ];
}

function spellings(text: string): readonly string[] {
  const lower = text.toLowerCase();
  const few = [text, lower, text.toUpperCase(), lower.charAt(0).toUpperCase() + lower.slice(1)];
  return [...new Set([...few, ...(text.length > 3 ? [] : everyCase(lower))])];
}

function everyCase(text: string): readonly string[] {
  return [...text].reduce<readonly string[]>(
    (made, letter) => made.flatMap((start) => [start + letter, start + letter.toUpperCase()]),
    [''],
  );
}
