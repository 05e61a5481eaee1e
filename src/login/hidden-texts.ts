import { type Cipher, createCipheriv, createDecipheriv } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { randomBytes } from '../ops/random.ts';

const CIPHER = 'aes-256-ctr';
const BLOCK_BYTES = 16;
/** Of a counter block (NIST SP 800-38A §B.2), the part that is drawn for each stream. The rest counts its blocks. */
const NONCE_BYTES = 12;
/** Of one stream, 16 bytes each: far from where the count would come round. */
const MOST_BLOCKS = 2 ** 30;
/** Shorter texts do not get smaller. */
const COMPRESSED_FROM = 600;
/** Of a text that is opened. */
const MOST_BYTES = 64 * 1024;
const [PLAIN, ZIPPED] = ['p', 'z'];

/**
 * Keeps texts from being read: AES-256 in counter mode. What is hidden can be changed by anybody, so that whoever uses
 * this has it authenticated (encrypt, then MAC) before it is opened. All texts are of one key stream, each from a block
 * of its own on: beginning a cipher for each would be most of the work of beginning a login.
 */
export class HiddenTexts {
  readonly #key: Buffer;
  #stream: { readonly cipher: Cipher; readonly nonce: Buffer; blocks: number } | undefined;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Base64url, without a dot. */
  hide(text: string): string {
    const isZipped = text.length >= COMPRESSED_FROM;
    const bytes = isZipped ? deflateRawSync(text) : Buffer.from(text);
    const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
    const stream = this.#streamFor(blocks);
    // To the end of its last block, so that the next text begins with one. What stands there is not sent.
    const padded = Buffer.allocUnsafe((blocks + 1) * BLOCK_BYTES);
    stream.nonce.copy(padded);
    padded.writeUInt32BE(stream.blocks, NONCE_BYTES);
    bytes.copy(padded, BLOCK_BYTES);
    stream.blocks += blocks;
    stream.cipher.update(padded.subarray(BLOCK_BYTES)).copy(padded, BLOCK_BYTES);
    return (isZipped ? ZIPPED : PLAIN) + padded.toString('base64url', 0, BLOCK_BYTES + bytes.length);
  }

  /** Undefined: not of this shape. What was hidden under another key comes out as nonsense. */
  open(text: string): string | undefined {
    const bytes = Buffer.from(text.slice(1), 'base64url');
    const isZipped = text[0] === ZIPPED;
    if ((!isZipped && text[0] !== PLAIN) || bytes.length <= BLOCK_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, BLOCK_BYTES));
    const shown = decipher.update(bytes.subarray(BLOCK_BYTES));
    try {
      return (isZipped ? inflateRawSync(shown, { maxOutputLength: MOST_BYTES }) : shown).toString();
    } catch {
      return undefined;
    }
  }

  #streamFor(blocks: number) {
    if (this.#stream === undefined || this.#stream.blocks + blocks > MOST_BLOCKS) {
      const nonce = Buffer.from(randomBytes(NONCE_BYTES));
      const first = Buffer.concat([nonce, Buffer.alloc(BLOCK_BYTES - NONCE_BYTES)]);
      this.#stream = { cipher: createCipheriv(CIPHER, this.#key, first), nonce, blocks: 0 };
    }
    return this.#stream;
  }
}
