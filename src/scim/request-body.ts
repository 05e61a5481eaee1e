import type { IncomingMessage } from 'node:http';
import { LatchgateError } from '../model/errors.ts';
import { ScimError } from './protocol/error.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/**
 * The JSON of a request, of `maxBytes` at most; undefined when there is none. Throws `scim_too_large`,
 * `scim_syntax_invalid`. How long it may take is for the listener to say.
 */
export async function readJson(req: IncomingMessage, maxBytes: number): Promise<unknown> {
  const { 'content-type': type, 'content-encoding': encoding, 'content-length': length } = req.headers;
  if (Number(length ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const bytes = await bytesOf(req, maxBytes);
  if (bytes.length === 0) return undefined;
  if (type !== undefined && !JSON_TYPE.test(type)) throw invalid('the body is not application/scim+json');
  if (encoding !== undefined && encoding !== 'identity') throw invalid('the body is compressed');
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw invalid('the body is not JSON');
  }
}

function bytesOf(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBytes) chunks.push(chunk);
      else {
        // What still comes is read and forgotten until the answer has gone out.
        req.removeAllListeners('data').resume();
        reject(tooLarge(maxBytes));
      }
    });
    const brokenOff = (): void => reject(new LatchgateError('request_timeout', 'the body broke off'));
    req.on('end', () => {
      // Every request is closed at its end.
      req.off('close', brokenOff);
      resolve(Buffer.concat(chunks));
    });
    req.on('error', brokenOff);
    req.on('close', brokenOff);
  });
}

function tooLarge(maxBytes: number): ScimError {
  return new ScimError('scim_too_large', `the body is longer than ${maxBytes} bytes`);
}

function invalid(why: string): ScimError {
  return new ScimError('scim_syntax_invalid', why);
}
