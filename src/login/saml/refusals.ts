import { type ErrorCode, LatchgateError } from '../../model/errors.ts';
import { XmlRefused } from './xml.ts';

/** Why a message is not taken. Nothing that stands in it comes along: it may be anybody's. */
export type SamlRefusal = Extract<ErrorCode, `saml_${string}`>;

const MESSAGES: Readonly<Record<SamlRefusal, string>> = {
  saml_message_invalid: 'the SAML message is not in the form that is taken',
  saml_signature_invalid: 'the signature of the SAML message does not hold',
  saml_issuer_unknown: 'the SAML message is of another provider',
  saml_not_for_us: 'the SAML message is meant for somebody else',
  saml_expired: 'the SAML message does not hold at this time',
  saml_replayed: 'the SAML assertion was used before',
  saml_unsolicited: 'nobody asked for this SAML login',
};

/** Makes what refuses a message: `check` names the rule. */
export type Refuse = (code: SamlRefusal, check: string) => LatchgateError;

export function refusalsOf(provider: string): Refuse {
  return (code, check) => new LatchgateError(code, MESSAGES[code], { detail: { provider, check } });
}

/** Runs what reads a message; texts that are not read any further become `saml_message_invalid`. */
export function reading<T>(refuse: Refuse, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof XmlRefused) throw refuse('saml_message_invalid', thrown.check);
    throw thrown;
  }
}
