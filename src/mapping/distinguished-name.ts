/** One `type=value` of a distinguished name. */
interface AttributeOfName {
  /** In lower case; an OID as it stands. */
  readonly type: string;
  readonly value: string;
}

/** The parts of a distinguished name, the most specific first. Each has one attribute, or several that `+` joins. */
export type DistinguishedName = readonly (readonly AttributeOfName[])[];

const TYPE = /^ *([a-z][a-z0-9-]*|\d+(?:\.\d+)+) *=/i;
const SEPARATOR = / *([,+]|$)/y;
/** `\` and two hexadecimal digits are one octet of UTF-8, `\` and one of the others is that character (RFC 4514 §2.4). */
const ESCAPED = /\\(?:([0-9a-f]{2})|([ "#+,;<=>\\]))/iy;
const PLAIN = /[^\\",+;<>\0]/uy;
const HEX = /#((?:[0-9a-f]{2})+)/iy;
/** String types of BER whose octets are a text in a known alphabet: UTF8String, PrintableString, IA5String. */
const TEXT_TAGS = new Set([0x0c, 0x13, 0x16]);
/** RFC 4514 §3: names that stand for OIDs. */
const TYPE_OF_OID: Readonly<Record<string, string>> = {
  '2.5.4.3': 'cn',
  '2.5.4.7': 'l',
  '2.5.4.8': 'st',
  '2.5.4.10': 'o',
  '2.5.4.11': 'ou',
  '2.5.4.6': 'c',
  '2.5.4.9': 'street',
  '0.9.2342.19200300.100.1.25': 'dc',
  '0.9.2342.19200300.100.1.1': 'uid',
};

/**
 * Reads a distinguished name (RFC 4514). Blanks around `,`, `+` and `=` are taken too, as RFC 2253 had it. Undefined: it
 * is none, or has a value that is no text.
 */
export function parseDistinguishedName(text: string): DistinguishedName | undefined {
  const parts: AttributeOfName[][] = [[]];
  for (let at = 0; ; ) {
    const type = TYPE.exec(text.slice(at));
    if (type === null) return undefined;
    const value = readValue(text, at + type[0].length);
    if (value === undefined) return undefined;
    parts.at(-1)?.push({ type: typeOf(type[1] ?? ''), value: value.text });
    SEPARATOR.lastIndex = value.end;
    const separator = SEPARATOR.exec(text);
    if (separator === null) return undefined;
    if (separator[1] === '') return parts;
    if (separator[1] === ',') parts.push([]);
    at = SEPARATOR.lastIndex;
  }
}

/** The common name of what the whole names: the one CN of its first part. Undefined: no CN there, or more than one. */
export function commonNameOf([first = []]: DistinguishedName): string | undefined {
  const [name, ...more] = first.filter(({ type }) => type === 'cn');
  return more.length === 0 ? name?.value : undefined;
}

/** Whether a name lies in the tree below another. Values are compared without regard to case, as directories do. */
export function isUnder(name: DistinguishedName, base: DistinguishedName): boolean {
  if (name.length <= base.length) return false;
  const tail = name.slice(name.length - base.length);
  return tail.every((part, index) => keyOf(part) === keyOf(base[index] ?? []));
}

function keyOf(part: DistinguishedName[number]): string {
  return JSON.stringify(
    part.map(({ type, value }) => [type, value.toLowerCase().trim().replaceAll(/ +/g, ' ')]).sort(),
  );
}

function typeOf(written: string): string {
  return TYPE_OF_OID[written] ?? written.toLowerCase();
}

function readValue(text: string, from: number): { readonly text: string; readonly end: number } | undefined {
  let at = from;
  while (text[at] === ' ') at += 1;
  HEX.lastIndex = at;
  const hex = HEX.exec(text);
  if (hex !== null) {
    const decoded = textOfBer(Buffer.from(hex[1] ?? '', 'hex'));
    return decoded === undefined ? undefined : { text: decoded, end: HEX.lastIndex };
  }
  return text[at] === '#' ? undefined : readString(text, at);
}

function readString(text: string, from: number): { readonly text: string; readonly end: number } | undefined {
  const octets: Buffer[] = [];
  let at = from;
  /** Blanks before the separator are none of the value unless they are escaped: where the value ends for now. */
  let end = { at, octets: 0 };
  for (;;) {
    ESCAPED.lastIndex = at;
    const escaped = ESCAPED.exec(text);
    PLAIN.lastIndex = at;
    const plain = escaped === null ? PLAIN.exec(text)?.[0] : undefined;
    if (escaped !== null) {
      const [whole, pair, character = ''] = escaped;
      octets.push(pair === undefined ? Buffer.from(character) : Buffer.from(pair, 'hex'));
      at += whole.length;
    } else if (plain !== undefined) {
      octets.push(Buffer.from(plain));
      at += plain.length;
    } else break;
    if (plain !== ' ') end = { at, octets: octets.length };
  }
  const decoded = utf8(Buffer.concat(octets.slice(0, end.octets)));
  return decoded === undefined ? undefined : { text: decoded, end: end.at };
}

/** X.690 §8.1: tag, definite length, octets, and nothing behind them. */
function textOfBer(bytes: Buffer): string | undefined {
  const [tag = 0, first = 0] = bytes;
  const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
  if (!TEXT_TAGS.has(tag) || first === 0x80 || lengthOctets > 2 || bytes.length < 2 + lengthOctets) return undefined;
  const length = lengthOctets === 0 ? first : bytes.readUIntBE(2, lengthOctets);
  const content = bytes.subarray(2 + lengthOctets);
  return content.length === length ? utf8(content) : undefined;
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
