import { LatchgateError } from '../model/errors.ts';
import type { AuditRecord } from './audit.ts';

export interface DeliveredRecord {
  /** `omitted`: names of what it has and is not sent, because all of it is too large for the receiver. */
  readonly record: Omit<AuditRecord, 'hash'> & { readonly omitted?: readonly string[] };
  readonly hash: string;
}

/** Somewhere outside that gets every record. */
export interface Receiver {
  /** Of the config. */
  readonly name: string;
  /** Records at once. */
  readonly batch: number;
  readonly from: 'start' | 'now';
  /** Resolves once the receiver has all of them. Throws LatchgateError; `TooLarge` when fewer of them might be taken. */
  send(records: readonly DeliveredRecord[], signal: AbortSignal): Promise<void>;
}

/** What was sent at once is more than the receiver takes. */
export class TooLarge extends LatchgateError {
  constructor(detail: Readonly<Record<string, string | number>>) {
    super('audit_undelivered', 'the records are too large for the receiver', { detail });
  }
}
