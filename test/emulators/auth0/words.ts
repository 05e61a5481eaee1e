import type { Check } from '../gooddata/check.ts';
import { Refusal } from '../gooddata/exchange.ts';

/** A text of at least one character. */
export function words(max: number, pattern?: RegExp): Check {
  return (value, at) => {
    if (typeof value !== 'string') throw new Refusal(400, `Expected type string on property ${at}`);
    if (value.length < 1 || value.length > max) throw new Refusal(400, `String is too short or too long on ${at}`);
    if (pattern && !pattern.test(value)) throw new Refusal(400, `String does not match pattern on property ${at}`);
  };
}

export const EMAIL = words(254, /^[^\s@"(),:;<>[\\\]]+@[^\s@"(),:;<>[\\\]]+\.[^\s@"(),:;<>[\\\]]+$/u);

export const CONNECTION_ID = words(20, /^con_[A-Za-z0-9]{16}$/);

export function wholeNumber(min: number): Check {
  return (value, at) => {
    if (!Number.isInteger(value) || (value as number) < min) {
      throw new Refusal(400, `Expected an integer of at least ${min} on property ${at}`);
    }
  };
}
