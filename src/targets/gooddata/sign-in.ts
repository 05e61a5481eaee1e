import { decodeProtectedHeader } from 'jose';
import { LatchgateError } from '../../model/errors.ts';
import type { Clock } from '../../ops/clock.ts';
import type { Signer } from '../../ops/keys.ts';
import type { Log } from '../../ops/log.ts';
import { cut, isValidId } from '../names.ts';
import { waitFor } from '../shared-work.ts';
import type { SignIn } from '../target.ts';
import type { JwksRegistrar } from './jwks.ts';

/** Of a token, in seconds. A leaked one is good for this long, so it is the shortest that spares a signature per request. */
const LIFETIME_S = 300;
/** Of the claim `name`, in characters. */
const MAX_NAME = 511;
const MAX_KEPT = 2_000;
/** How often refused tokens may make us ask whether the key is still registered. */
const RECHECK_MS = 60_000;

export interface GoodDataSignInOptions {
  /** RS256, with a header of `alg`, `kid` and `typ` alone. */
  readonly signer: Signer;
  readonly registrar: JwksRegistrar;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

interface Minted {
  readonly displayName: string;
  /** Milliseconds since the epoch. */
  readonly mintedAt: number;
  readonly expiresAt: number;
  readonly token: Promise<string>;
  /** The same once it is there: most requests need not wait for anything. */
  ready?: string;
}

/**
 * `sign_in: jwt`: each request carries a token of five minutes whose `sub` is the GoodData user's id, used for half its
 * life. Its key is registered in the organisation before the first token of it is handed out.
 */
export function createGoodDataSignIn({ signer, registrar, clock, log }: GoodDataSignInOptions): SignIn {
  const kept = new Map<string, Minted>();
  let isDoubtful = false;
  let checkedAt = Number.NEGATIVE_INFINITY;

  const mustAsk = (kid: string) =>
    !registrar.isRegistered(kid) || (isDoubtful && clock.now() - checkedAt >= RECHECK_MS);

  const registerKeys = async (kid: string): Promise<void> => {
    const { signal } = new AbortController();
    // Twice: a run that was under way may have begun before there was this key.
    for (let attempt = 0; attempt < 2 && mustAsk(kid); attempt += 1) {
      await registrar.ensure(signal);
      checkedAt = clock.now();
      isDoubtful = false;
    }
    if (!registrar.isRegistered(kid)) {
      throw new LatchgateError('target_unavailable', 'the key that signs is not registered in GoodData yet');
    }
    const isAllThere = (await signer.publicKeys()).every((key) => registrar.isRegistered(key.kid));
    if (isAllThere) return;
    // A key that signs only later is registered ahead, without anybody waiting for it.
    registrar.ensure(signal).catch((error: unknown) => {
      log.warn('the next key could not be registered in GoodData', { error });
    });
  };

  const sign = async (id: string, displayName: string): Promise<string> => {
    if (!isValidId(id)) throw new LatchgateError('internal', 'the account has no id that GoodData gives');
    const name = displayName === '' ? id : cut(displayName, MAX_NAME);
    const token = await signer.sign({ sub: id, name }, LIFETIME_S);
    await registerKeys(decodeProtectedHeader(token).kid ?? '');
    return token;
  };

  const mint = (id: string, displayName: string): Minted => {
    const mintedAt = clock.now();
    const expiresAt = (Math.floor(mintedAt / 1_000) + LIFETIME_S) * 1_000;
    const minted: Minted = { displayName, mintedAt, expiresAt, token: sign(id, displayName) };
    minted.token.then(
      (token) => {
        minted.ready = token;
      },
      () => {
        if (kept.get(id) === minted) kept.delete(id);
      },
    );
    kept.delete(id);
    kept.set(id, minted);
    const [oldest] = kept.keys();
    if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
    return minted;
  };

  return {
    headers: async ({ id, displayName }, signal) => {
      const known = kept.get(id);
      const isFresh = known?.displayName === displayName && clock.now() - known.mintedAt < (LIFETIME_S / 2) * 1_000;
      const minted = known !== undefined && isFresh ? known : mint(id, displayName);
      const token = minted.ready ?? (await waitFor(minted.token, signal));
      const validForSeconds = Math.max(0, Math.floor((minted.expiresAt - clock.now()) / 1_000));
      return { set: { authorization: `Bearer ${token}` }, validForSeconds };
    },
    renew: ({ id }) => {
      kept.delete(id);
      isDoubtful = true;
    },
    drop: ['authorization', 'x-gdc-auth*', 'x-gdc-token*', 'x-gdc-user*', 'x-gdc-org*'],
    dropCookies: ['SPRING_SEC_*'],
  };
}
