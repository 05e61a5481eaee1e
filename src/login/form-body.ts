import type { IncomingMessage } from 'node:http';
import { LatchgateError } from '../model/errors.ts';

const BODY_LIMIT_MS = 10_000;

/**
 * The fields of a form that was posted, of `maxBytes` at most and within ten seconds. Throws `request_invalid` with the
 * failed check in its detail; what is left of the body is then not looked at.
 */
export async function readForm(req: IncomingMessage, maxBytes: number): Promise<URLSearchParams> {
  if (!isForm(req)) throw invalidForm('content-type');
  if (req.headers['content-encoding'] !== undefined) throw invalidForm('content-encoding');
  return new URLSearchParams(await bodyOf(req, maxBytes));
}

export function isForm({ headers }: IncomingMessage): boolean {
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(headers['content-type'] ?? '');
}

export function invalidForm(check: string): LatchgateError {
  return new LatchgateError('request_invalid', `the form does not hold: ${check}`, { detail: { check } });
}

function bodyOf(req: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (check: string) => {
      clearTimeout(timer);
      // What still comes is read and forgotten until the answer has gone out.
      req.removeAllListeners('data').resume();
      reject(invalidForm(check));
    };
    const timer = setTimeout(() => fail('too slow'), BODY_LIMIT_MS);
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) fail('too long');
      else chunks.push(chunk);
    });
    req.on('end', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
    req.on('error', () => fail('broken off'));
    req.on('close', () => fail('broken off'));
  });
}
