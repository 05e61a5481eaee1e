import type { Mapping } from '../mapping/mapping.ts';
import type { RememberedAssertion } from '../mapping/reading.ts';
import type { Decision } from '../model/desired.ts';
import type { PersonId } from '../model/person.ts';
import { hear } from '../provisioning/heard.ts';
import { isPolicy } from '../provisioning/outcome.ts';

/** What an origin last said that the config cannot read: it gives nothing, and who comes by it is refused. */
export interface Unread {
  readonly origin: string;
  readonly code: string;
}

interface HeardByDoors {
  readonly heard: ReturnType<typeof hear>;
  /** Empty where none can be read. */
  readonly unread: readonly Unread[];
}

/**
 * What is decided of a person, whoever speaks next. Every origin that can be read gives what it gives whoever spoke last, but one
 * that cannot be read refuses alone: so it decides only where none can be read.
 */
export function hearDoors(
  mapping: Mapping,
  person: PersonId,
  assertions: readonly RememberedAssertion[],
): HeardByDoors {
  const doors = assertions
    .filter(({ active, origin }) => active && mapping.knows(origin))
    .toSorted((a, b) => b.at.getTime() - a.at.getTime());
  const unread: Unread[] = [];
  let decision: Decision | undefined;
  for (const origin of new Set(doors.map((door) => door.origin))) {
    const decided = mapping.map({ person, assertions, current: origin });
    const isRead = decided.decision === 'allow' || isPolicy(decided.code);
    if (isRead) decision ??= decided;
    else unread.push({ origin, code: decided.code ?? 'internal' });
  }
  if (decision === undefined) return { heard: hear(mapping, person, assertions), unread: [] };
  return { heard: { decision }, unread };
}

/** Of how many people the new config cannot read what an origin said and the old one could, while another speaks. */
export class UnreadDoors {
  readonly #people = new Map<string, number>();

  count(before: readonly Unread[] = [], after: readonly Unread[] = []): void {
    for (const { origin, code } of after) {
      if (before.some((one) => one.origin === origin)) continue;
      const key = `${code} ${origin}`;
      this.#people.set(key, (this.#people.get(key) ?? 0) + 1);
    }
  }

  notes(): readonly string[] {
    return [...this.#people].map(([key, people]) => {
      const [code, origin] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
      const whom = people === 1 ? '1 person' : `${people} people`;
      return `what "${origin}" last said of ${whom} cannot be read by the new config (${code}): what others say of them decides`;
    });
  }
}
