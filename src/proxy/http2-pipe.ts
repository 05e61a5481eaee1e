import { Duplex } from 'node:stream';

type Done = (error?: Error | null) => void;

/** One end of a connection that never leaves the process. */
class PipeEnd extends Duplex {
  /** The peer, as sockets name it. */
  readonly remoteAddress: string | undefined;
  other!: PipeEnd;
  #resume: Done | undefined;

  constructor(remoteAddress: string | undefined) {
    super();
    this.remoteAddress = remoteAddress;
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const { other } = this;
    // The writer goes on when the reader wants more: neither side runs ahead.
    other.#resume = done;
    if (other.push(chunk)) other._read();
  }

  override _writev(pieces: readonly { readonly chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(pieces.map(({ chunk }) => chunk)), 'latin1', done);
  }

  override _final(done: Done): void {
    // Finished when the other side has read everything: whoever then destroys this one cuts off nothing.
    this.other.once('end', () => done());
    this.other.push(null);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.other.destroy();
    done(error);
  }
}

/** A connection within the process, as two ends; what `client` is for `server` has `remoteAddress`. */
export function createPipe(remoteAddress: string | undefined): { readonly client: Duplex; readonly server: Duplex } {
  const client = new PipeEnd(undefined);
  const server = new PipeEnd(remoteAddress);
  client.other = server;
  server.other = client;
  return { client, server };
}
