import type { JWK, JWTPayload } from 'jose';

/** Signs with the current key of one purpose; makes, stores and rotates the keys. */
export interface Signer {
  /**
   * A compact JWT. `iat`, `exp` (= iat + lifetimeSeconds; without one it never ends), `jti` and the header's `kid`, `typ`
   * are set here.
   */
  sign(payload: JWTPayload, lifetimeSeconds?: number): Promise<string>;
  /** Public keys, those that are about to sign and those that just did included. */
  publicKeys(): Promise<readonly (JWK & { readonly kid: string })[]>;
  /** kid of the key that signs now. */
  currentKid(): Promise<string>;
}
