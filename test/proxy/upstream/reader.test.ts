import { LatchgateError } from '../../../src/model/errors.ts';
import { WHOLE } from './answers.ts';
import { BROKEN } from './broken-answers.ts';
import { readAnswer } from './read.ts';

const everyByte = (bytes: string): number[] => Array.from({ length: bytes.length }, (_, at) => at);

describe('an answer that could be read in two ways is refused', () => {
  it.each(BROKEN)('%s', (_name, bytes) => {
    expect(readAnswer(bytes, [])).toBeInstanceOf(LatchgateError);
    expect(readAnswer(bytes, everyByte(bytes))).toBeInstanceOf(LatchgateError);
  });

  it('with words that hold nothing of it', () => {
    const said = BROKEN.map(([, bytes]) => (readAnswer(bytes, []) as LatchgateError).message).join('\n');
    expect(said).not.toMatch(/X-A|ok\b.*ok|SSH|\0/);
  });
});

describe('a plain answer is read as what it says', () => {
  it.each(WHOLE)('$name', ({ bytes, status, headers, body, method, closes }) => {
    const expected = { status, headers, body, isComplete: true, isSurplus: false };
    expect(readAnswer(bytes, [], method, closes === true)).toEqual(expected);
    expect(readAnswer(bytes, everyByte(bytes), method, closes === true)).toEqual(expected);
  });

  it.each(WHOLE.filter(({ closes }) => closes !== true))('and nothing behind it belongs to it: $name', (answer) => {
    const bytes = `${answer.bytes}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`;
    for (const cuts of [[], [answer.bytes.length - 1], [answer.bytes.length], [answer.bytes.length + 1]]) {
      const read = readAnswer(bytes, cuts, answer.method);
      expect(read).toMatchObject({ status: answer.status, body: answer.body, isComplete: true, isSurplus: true });
    }
  });

  it.each(WHOLE.filter(({ closes }) => closes !== true))('and is not whole without its last byte: $name', (answer) => {
    const read = readAnswer(answer.bytes.slice(0, -1), [], answer.method);
    expect(read).toMatchObject({ isComplete: false });
  });
});
