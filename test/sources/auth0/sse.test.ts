import fc from 'fast-check';
import { createSseParser, type ServerSentEvent } from '../../../src/sources/auth0/sse.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string): ServerSentEvent[] => createSseParser().push(bytes(text));

describe('a stream of server-sent events', () => {
  it.each([
    ['an event with type, id and data', 'event: a\nid: 1\ndata: x\n\n', [{ type: 'a', data: 'x', lastId: '1' }]],
    ['data of several lines', 'data: x\ndata:\ndata:  y\n\n', [{ type: 'message', data: 'x\n\n y', lastId: '' }]],
    ['comments, and fields nobody knows', ': hi\nfoo: bar\ndata: x\n\n', [{ type: 'message', data: 'x', lastId: '' }]],
    ['no data: no event, but its id counts', 'id: 1\n\ndata: x\n\n', [{ type: 'message', data: 'x', lastId: '1' }]],
    ['an id that holds NUL is not taken', 'id: 1\nid: 2\0\ndata: x\n\n', [{ type: 'message', data: 'x', lastId: '1' }]],
    ['a type does not outlive its event', 'event: a\n\ndata: x\n\n', [{ type: 'message', data: 'x', lastId: '' }]],
    ['an event that is cut off was never said', 'data: x\n', []],
    [
      'line ends of every kind',
      'data: x\r\n\r\ndata: y\r\rdata: z\n\n',
      ['x', 'y', 'z'].map((data) => ({ type: 'message', data, lastId: '' })),
    ],
    ['a byte order mark', '\uFEFFdata: x\n\n', [{ type: 'message', data: 'x', lastId: '' }]],
  ])('has %s', (_name, text, events) => {
    expect(parse(text)).toEqual(events);
  });

  it('tells how long to wait before connecting again, when it is a number', () => {
    const parser = createSseParser();
    parser.push(bytes('retry: 2000\n\nretry: soon\n\n'));
    expect(parser.retryMs).toBe(2_000);
  });

  it('is the same in whatever pieces it comes', () => {
    const text =
      ':connected\r\nretry: 10\r\n\r\nevent: ü\r\nid: Ω\ndata: {"a":"😀"}\ndata: 2\n\ndata: x\r\rid: 3\ndata: y\n\n';
    const whole = parse(text);
    expect(whole).toHaveLength(3);
    const all = bytes(text);
    fc.assert(
      fc.property(fc.array(fc.nat(all.length), { maxLength: 20 }), (cuts) => {
        const parser = createSseParser();
        const at = [0, ...cuts.sort((a, b) => a - b), all.length];
        const events = at.slice(1).flatMap((end, index) => parser.push(all.subarray(at[index], end)));
        expect(events).toEqual(whole);
      }),
    );
  });

  it('never makes an event or a line that is longer than its limit', () => {
    expect(() => createSseParser(100).push(bytes(`data: ${'x'.repeat(200)}`))).toThrow(RangeError);
    expect(() => createSseParser(100).push(bytes(`data: ${'x'.repeat(60)}\n`.repeat(2)))).toThrow(RangeError);
  });
});
