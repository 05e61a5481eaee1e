import { readSealed, type Sealed, unseal } from './decryption.ts';
import { checkDecrypted, type Envelope, type Wanted } from './envelope.ts';
import type { OwnKey } from './own-key.ts';
import { type Refuse, reading } from './refusals.ts';
import { verifiedElement } from './signatures.ts';
import { elementsOf, readXml } from './xml.ts';

export interface Keys {
  /** Of the provider. */
  readonly certificates: readonly string[];
  /** Ours, tried in turn; none: encrypted assertions are refused. */
  readonly decryption: readonly OwnKey[];
}

/**
 * The assertion of a response as it was signed, as canonical XML. Each signature that is there has to hold, that of the
 * response before anything is decrypted. Throws `saml_*`; whatever goes wrong in opening what is encrypted has one code and check.
 */
export function verifiedAssertion(
  envelope: Envelope,
  { certificates, decryption }: Keys,
  wanted: Wanted,
  refuse: Refuse,
): string {
  const { text, root, assertion, signed, isEncrypted } = envelope;
  const verified = (element: Element): string => {
    const found = verifiedElement(text, element, certificates);
    if (found === undefined) throw refuse('saml_signature_invalid', 'signature');
    return found;
  };
  const response = signed.has(root) ? reading(refuse, () => readXml(verified(root))) : undefined;
  if (!isEncrypted) return signed.has(assertion) || response === undefined ? verified(assertion) : inside(response);
  if (decryption.length === 0) throw refuse('saml_message_invalid', 'encrypted, and no decryption_key');
  const encrypted = response === undefined ? assertion.toString() : inside(response);
  const sealed = reading(refuse, () => readSealed(encrypted));
  try {
    const plain = unsealedByAny(sealed, decryption, response !== undefined).replace(/\r\n?/g, '\n');
    const own = checkDecrypted(plain, wanted, response !== undefined, refuse);
    const found = own.isSigned ? verifiedElement(plain, own.root, certificates) : plain;
    if (found !== undefined) return found;
  } catch {
    // One word for whatever went wrong: what is inside is not to be guessed by trying.
  }
  throw refuse('saml_signature_invalid', 'encrypted assertion');
}

/** The one assertion of a response, encrypted or not. */
function inside(response: Element): string {
  const [assertion] = elementsOf(response).filter(({ localName }) => /^(?:Encrypted)?Assertion$/.test(localName));
  return String(assertion);
}

/** By the first key that opens it; throws as the last one does. */
function unsealedByAny(sealed: Sealed, keys: readonly OwnKey[], isFromProvider: boolean): string {
  let failure: unknown;
  for (const key of keys) {
    try {
      return unseal(sealed, key, isFromProvider);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
