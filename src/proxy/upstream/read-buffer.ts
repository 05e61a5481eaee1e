/** A piece of 64 KiB, which many servers write at once, and the head in front of it: both in one read. */
const READ_BYTES = 80 * 1024;
const SPARE_AT_MOST = 64;

/** Memory of nobody. Making new memory for each large piece would keep the garbage collector busier than the sockets. */
const spare: Buffer[] = [];

/** Memory that one socket reads into, again and again until somebody keeps what was read. */
export class ReadBuffer {
  #bytes = spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);

  /** For `onread` of node:net, which asks before each read. */
  readonly current = (): Buffer => this.#bytes;

  /**
   * What was read last stays as it is: the next read goes elsewhere. What comes back is to be called when nobody needs it
   * any more, and never in doubt: memory that is not given back is collected like any other.
   */
  handOver(): (error?: Error | null) => void {
    const bytes = this.#bytes;
    this.#bytes = spare.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
    let isGiven = false;
    return (error) => {
      // What failed to be written may still be looked at by somebody.
      if (error != null || isGiven) return;
      isGiven = true;
      giveBack(bytes);
    };
  }

  /** For once the socket is closed, and reads nothing more. */
  release(): void {
    giveBack(this.#bytes);
  }
}

function giveBack(bytes: Buffer): void {
  if (spare.length < SPARE_AT_MOST) spare.push(bytes);
}
