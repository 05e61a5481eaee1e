import { lastStranger } from '../strangers.ts';
import { type Examined, finding } from './findings.ts';
import { look, type Patient } from './patient.ts';

const RECENT_MS = 7 * 86_400_000;

/** What the gateway noticed of those whom it does not believe. */
export function lookAtStrangers({ state, clock }: Patient): readonly Promise<Examined>[] {
  if (state === undefined) return [];
  const work = async () => {
    const at = await lastStranger(state);
    if (at === undefined || clock.now() - at >= RECENT_MS) return [];
    const seen = `somebody outside of trusted_proxies asked /.latchgate/auth about a request, last at ${new Date(at).toISOString()}`;
    return [finding('forward_auth_stranger', 'forward_auth', seen)];
  };
  return [look('forward_auth', 'who asks', work)];
}
