/** One event of a stream, as it was dispatched. */
export interface ServerSentEvent {
  /** `message` where the stream names none. */
  readonly type: string;
  readonly data: string;
  /** The last id that the stream gave, be it with this event or before. */
  readonly lastId: string;
}

export interface SseParser {
  /** Takes in the next piece; gives what is complete by it. Throws RangeError for a line or event beyond the limit. */
  push(piece: Uint8Array): ServerSentEvent[];
  /** Milliseconds that the stream asks to wait before connecting again. */
  readonly retryMs: number | undefined;
}

const LONGEST = 1024 * 1024;

/** Reads `text/event-stream` (HTML Living Standard §9.2.6). What is not complete at the end of a stream was never said. */
export function createSseParser(longest = LONGEST): SseParser {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  let endedByCr = false;
  let type = '';
  let data: string[] = [];
  let size = 0;
  let lastId = '';
  let retryMs: number | undefined;

  const dispatch = (): ServerSentEvent | undefined => {
    const event = data.length === 0 ? undefined : { type: type || 'message', data: data.join('\n'), lastId };
    type = '';
    data = [];
    size = 0;
    return event;
  };
  const take = (line: string): void => {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') {
      size += value.length;
      if (size > longest) throw new RangeError('an event is too long');
      data.push(value);
    } else if (name === 'event') type = value;
    else if (name === 'id' && !value.includes('\0')) lastId = value;
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) retryMs = Number(value);
  };

  return {
    get retryMs() {
      return retryMs;
    },
    push: (piece) => {
      let text = decoder.decode(piece, { stream: true });
      // The second half of a CR LF that was cut in two.
      if (endedByCr && text.startsWith('\n')) text = text.slice(1);
      if (text !== '') endedByCr = text.endsWith('\r');
      const lines = (rest + text).split(/\r\n|\r|\n/);
      rest = lines.pop() ?? '';
      if (rest.length > longest) throw new RangeError('a line is too long');
      const events: ServerSentEvent[] = [];
      for (const line of lines) {
        if (line !== '') {
          take(line);
          continue;
        }
        const event = dispatch();
        if (event !== undefined) events.push(event);
      }
      return events;
    },
  };
}
