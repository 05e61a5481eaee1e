import { ScimError } from '../../../src/scim/protocol/error.ts';

/** What is refused and why, as a client sees it: `400 invalidFilter`. Anything but a ScimError is thrown on. */
export function refusalOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof ScimError)) throw thrown;
    return `${thrown.status} ${thrown.scimType ?? '-'}`;
  }
}
