import type { LatchgateError } from '../model/errors.ts';
import type { Session } from '../session/store.ts';
import type { Route } from './routes.ts';

/** Something of a session that is under way and can be cut off: a request, a stream, a tunnel. */
export interface Ongoing {
  /** Whose it is. */
  readonly session?: { readonly id?: string | undefined } | undefined;
  /** By which it got through. */
  readonly route?: Route<Session> | undefined;
  /** By default because the session ended. */
  cutOff(reason?: LatchgateError): void;
}

/** Sessions with nothing under way that are kept in the map, because most have something again in a moment. */
const MOST_IDLE = 1_000;

/**
 * What is under way, by session handle, so that a session that ends takes all of it along. Lists that stay, as those of
 * connections do and for the same reason: a map that requests themselves come into and go out of keeps them alive.
 */
export class LiveWork {
  readonly #bySession = new Map<string, Ongoing[]>();
  #idle = 0;

  add(handle: string, work: Ongoing): void {
    const works = this.#bySession.get(handle);
    if (works === undefined) this.#bySession.set(handle, [work]);
    else if (works.push(work) === 1) this.#idle -= 1;
  }

  remove(handle: string, work: Ongoing): void {
    const works = this.#bySession.get(handle);
    const at = works?.indexOf(work) ?? -1;
    if (works === undefined || at === -1) return;
    works.splice(at, 1);
    if (works.length > 0) return;
    this.#idle += 1;
    if (this.#idle > MOST_IDLE) this.#forgetIdle();
  }

  end(handle: string): void {
    const works = this.#bySession.get(handle);
    if (works === undefined) return;
    this.#bySession.delete(handle);
    if (works.length === 0) this.#idle -= 1;
    for (const work of works) work.cutOff();
  }

  of(handle: string): readonly Ongoing[] {
    return [...(this.#bySession.get(handle) ?? [])];
  }

  *handles(): Iterable<string> {
    for (const [handle, works] of this.#bySession) if (works.length > 0) yield handle;
  }

  /** Of each session once, where it is known. */
  *ids(): Iterable<string> {
    for (const [work] of this.#bySession.values()) if (work?.session?.id !== undefined) yield work.session.id;
  }

  endAll(): void {
    for (const handle of [...this.#bySession.keys()]) this.end(handle);
  }

  #forgetIdle(): void {
    for (const [handle, works] of this.#bySession) if (works.length === 0) this.#bySession.delete(handle);
    this.#idle = 0;
  }
}
