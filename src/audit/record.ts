import { hash } from 'node:crypto';
import type { AuditEntry, AuditRecord } from './audit.ts';

/** The hash before the first record. */
export const CHAIN_START = '0'.repeat(64);

/** JSON with the members of every object in one order, so that the same facts are the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** What is stored and hashed of an entry: everything but the hash. */
export function recordBody(entry: AuditEntry, seq: number, at: Date): string {
  return canonicalJson({ ...entry, seq, at: at.toISOString() });
}

/** SHA-256 over the hash before and the body, in lower-case hex. */
export function chainHash(before: string, body: string): string {
  return hash('sha256', before + body, 'hex');
}

export function parseRecord(body: string, hash: string): AuditRecord {
  const record = JSON.parse(body) as AuditEntry & { readonly seq: number; readonly at: string };
  return { ...record, at: new Date(record.at), hash };
}
