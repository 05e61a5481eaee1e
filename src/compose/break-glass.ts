import type { Config } from '../config/schema.ts';
import { type BreakGlass, type BreakGlassDeps, createBreakGlass } from '../login/break-glass.ts';
import type { State } from './state.ts';

/** Emergency links, for the command that makes them and the page that takes them. */
export function composeBreakGlass({ session }: Config, { directory, audit, clock }: State): BreakGlass {
  const { handovers, people } = directory;
  const onUsed: BreakGlassDeps['onUsed'] = ({ person, origin }, requestId) =>
    audit.append([{ event: 'break_glass.used', actor: person, person, origin, requestId }]);
  return createBreakGlass({ handovers, people, onUsed, secrets: session.secrets, clock });
}
