import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { LatchgateError } from '../model/errors.ts';
import type { HttpResponse } from './http-client.ts';

/** An answer as it came, decompressed. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Of which call an answer is, and how long it may be, before and after decompression. */
interface Limits {
  readonly url: URL;
  readonly maxBytes: number;
}

const inflaters: Readonly<Record<string, (body: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  deflate: promisify(inflate),
};

/** Reads an answer to its end. Throws `answer_too_large`, `target_answer_invalid`. */
export async function readAnswer(answer: Dispatcher.ResponseData, of: Limits): Promise<RawAnswer> {
  const headers = flatHeaders(answer.headers);
  const raw = await readLimited(answer.body, of);
  const body = await decompress(raw, headers['content-encoding'], of);
  return { status: answer.statusCode, headers, body };
}

function flatHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

async function readLimited(body: Dispatcher.ResponseData['body'], of: Limits): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > of.maxBytes) {
      // Leaving the loop destroys the body and with it the connection: the rest is never read.
      throw tooLarge(of);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

async function decompress(body: Buffer, encoding: string | undefined, of: Limits): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '' || body.length === 0) return body;
  const inflater = inflaters[name];
  const detail = { host: of.url.host };
  if (inflater === undefined) {
    throw new LatchgateError('target_answer_invalid', 'the answer has an encoding that was not asked for', { detail });
  }
  try {
    return await inflater(body, { maxOutputLength: of.maxBytes });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(of);
    throw new LatchgateError('target_answer_invalid', 'the answer cannot be decompressed', { detail, cause: thrown });
  }
}

function tooLarge(of: Limits): LatchgateError {
  return new LatchgateError('answer_too_large', 'the answer is longer than its limit', {
    detail: { host: of.url.host, maxBytes: of.maxBytes },
  });
}

export function toHttpResponse(answer: RawAnswer, url: URL): HttpResponse {
  const text = answer.body.toString('utf8');
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: () => {
      const detail = { host: url.host, status: answer.status };
      const type = (answer.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
      if (!/^application\/(?:[\w.-]+\+)?json$/.test(type)) {
        throw new LatchgateError('target_answer_invalid', 'the answer is not JSON by its type', { detail });
      }
      try {
        return JSON.parse(text) as unknown;
      } catch {
        // Without the cause: JSON.parse quotes the text that it could not read.
        throw new LatchgateError('target_answer_invalid', 'the answer is not JSON', { detail });
      }
    },
  };
}
