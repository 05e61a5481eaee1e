import { openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { Completed, Transaction } from '../../src/login/provider.ts';
import { createSamlProvider, type SamlProvider } from '../../src/login/saml/saml.ts';
import { samlLoginSchema } from '../../src/login/saml/schema.ts';
import type { Clock } from '../../src/ops/clock.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import { SamlIdp, type SamlLies } from '../emulators/saml/idp.ts';
import { newTransaction, PUBLIC_URL, SIGNAL, silentLog } from './oidc-harness.ts';

const BASE = `${PUBLIC_URL}/.latchgate/saml/partners`;
export const ACS = `${BASE}/acs`;
export const SLO = `${BASE}/slo`;
export const ENTITY_ID = `${BASE}/metadata`;

/** A provider of ours beside a provider of theirs, over a real directory. */
export class SamlHarness {
  readonly idp: SamlIdp;
  readonly provider: SamlProvider;
  readonly clock: Clock & { ahead: number };
  readonly #close: () => Promise<void>;

  private constructor(
    idp: SamlIdp,
    provider: SamlProvider,
    clock: Clock & { ahead: number },
    close: () => Promise<void>,
  ) {
    this.idp = idp;
    this.provider = provider;
    this.clock = clock;
    this.#close = close;
  }

  /** `settings` are keys of the config. */
  static async open(settings: Readonly<Record<string, unknown>> = {}, idp = new SamlIdp()): Promise<SamlHarness> {
    const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
    const database = await openDatabase('sqlite::memory:');
    const { once } = createDirectory(database, clock).leases;
    const http = createHttpClient({ timeoutMs: 5_000, maxBytes: 1_048_576 });
    const config = samlLoginSchema.parse({ type: 'saml', metadata: idp.metadata(), ...settings });
    const common = { name: 'partners', config, publicUrl: PUBLIC_URL, http, clock, log: silentLog };
    const provider = createSamlProvider({ ...common, once });
    return new SamlHarness(idp, provider, clock, async () => {
      await http.close();
      await database.close();
    });
  }

  /** Logs in at a provider that says this. */
  async logIn(lies: SamlLies = {}, transaction: Transaction | undefined = newLogin()): Promise<Completed> {
    return this.provider.accept({ response: await this.answer(lies, transaction), transaction }, SIGNAL);
  }

  answer(lies: SamlLies = {}, transaction?: Transaction): Promise<string> {
    const inResponseTo = transaction === undefined ? undefined : `_${transaction.nonce}`;
    return this.idp.respond({ audience: ENTITY_ID, recipient: ACS, inResponseTo }, lies);
  }

  accept(response: string, transaction: Transaction | undefined): Promise<Completed> {
    return this.provider.accept({ response, transaction }, SIGNAL);
  }

  close(): Promise<void> {
    return this.#close();
  }
}

export function newLogin(): Transaction {
  return { ...newTransaction(), provider: 'partners' };
}
