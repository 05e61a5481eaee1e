import { LatchgateError } from '../../../src/model/errors.ts';
import { AnswerReader } from '../../../src/proxy/upstream/answer.ts';

export interface ReadAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  readonly isComplete: boolean;
  readonly isSurplus: boolean;
}

/** Reads an answer that comes cut at these places. Gives its failure back; anything but `upstream_invalid` is thrown. */
export function readAnswer(
  bytes: string,
  cuts: readonly number[],
  method = 'GET',
  closes = true,
): ReadAnswer | LatchgateError {
  const all = Buffer.from(bytes, 'latin1');
  const reader = new AnswerReader(method);
  let body = '';
  let from = 0;
  try {
    for (const cut of [...cuts, all.length]) {
      const to = Math.min(cut, all.length);
      if (to <= from) continue;
      if (reader.isComplete || reader.rest !== undefined) break;
      reader.read(Buffer.from(all.subarray(from, to)));
      body += reader.text + reader.pieces.map((piece) => piece.toString('latin1')).join('');
      from = to;
    }
  } catch (error) {
    if (error instanceof LatchgateError && error.code === 'upstream_invalid') return error;
    throw error;
  }
  if (reader.rest !== undefined) return new LatchgateError('upstream_invalid', 'a switch');
  const isComplete = reader.isComplete || (closes && reader.end());
  const { status, headers } = reader.head;
  return { status, headers, body, isComplete, isSurplus: reader.isSurplus || from < all.length };
}

/** Where the answer ends in these bytes, the rest being surplus. */
export function endOfAnswer(bytes: string, method: string): number {
  const reader = new AnswerReader(method);
  for (let at = 0; at < bytes.length; at += 1) {
    reader.read(Buffer.from(bytes[at] as string, 'latin1'));
    if (reader.isComplete) return at + 1;
  }
  return bytes.length;
}
