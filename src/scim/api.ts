import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { type Answer, failureAnswer } from './answer.ts';
import { Bulk } from './bulk.ts';
import type { Call } from './call.ts';
import { discovery } from './discovery.ts';
import type { Lookups } from './lookups.ts';
import type { ServiceLimits } from './protocol/discovery.ts';
import type { Push } from './push.ts';
import { type CarryOut, groupKind, type Owe, Resources, userKind } from './resources.ts';
import { Searches } from './searches.ts';
import type { StoredGroup } from './store/groups.ts';
import type { StoredUser } from './store/users.ts';

export interface ApiParts {
  /** Address of the API, without a slash at its end. */
  readonly base: string;
  readonly limits: ServiceLimits;
  readonly lookups: Lookups;
  readonly pushOf: (call: Call) => Push;
  readonly carryOut: CarryOut;
  readonly owe: Owe;
}

type Work = (call: Call) => Promise<Answer> | Answer;
type Methods = Readonly<Record<string, Work>>;

/** The SCIM protocol (RFC 7644) for clients that are known by now. What is not named here is not there. */
export class ScimApi {
  readonly #parts: ApiParts;
  readonly #users: Resources<StoredUser>;
  readonly #groups: Resources<StoredGroup>;
  readonly #searches: Searches;
  readonly #bulk: Bulk;

  constructor(parts: ApiParts) {
    this.#parts = parts;
    const { lookups, base, pushOf, carryOut, owe } = parts;
    this.#users = new Resources({ kind: userKind(lookups), base, pushOf, carryOut, owe });
    this.#groups = new Resources({ kind: groupKind(lookups), base, pushOf, carryOut, owe });
    this.#searches = new Searches({ lookups, maxCount: parts.limits.results });
    this.#bulk = new Bulk({
      base,
      maxOperations: parts.limits.bulkOperations,
      carryOut,
      answer: (call) => this.answer(call),
    });
  }

  /** Never throws. */
  async answer(call: Call): Promise<Answer> {
    try {
      const methods = this.#methodsAt(call.segments);
      if (methods === undefined) throw new LatchgateError('not_found', 'there is nothing at this address');
      // The same without the body (RFC 9110 §9.3.2), which is not sent.
      const method = call.method === 'HEAD' ? 'GET' : call.method;
      const work = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (work !== undefined) return await work(call);
      const failure = failureAnswer(new LatchgateError('method_not_allowed', 'the address does not take the method'));
      return { ...failure, allow: Object.keys(methods).join(', ') };
    } catch (thrown) {
      return failureAnswer(toLatchgateError(thrown));
    }
  }

  #methodsAt([first, second, ...rest]: readonly string[]): Methods | undefined {
    if (first === undefined) return { GET: (call) => this.#searches.everything(call) };
    if (rest.length > 0) return undefined;
    if (first === 'Users') return this.#resources(this.#users, second, (call) => this.#searches.users(call));
    if (first === 'Groups') return this.#resources(this.#groups, second, (call) => this.#searches.groups(call));
    const found = discovery(this.#parts.limits, this.#parts.base, first, second);
    if (found !== undefined) return { GET: found };
    if (second !== undefined) return undefined;
    switch (first) {
      case '.search':
        return { POST: (call) => this.#searches.everything(call) };
      case 'Bulk':
        return { POST: (call) => this.#bulk.run(call) };
      case 'Me':
        return Object.fromEntries(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => [method, notMe]));
      default:
        return undefined;
    }
  }

  #resources<Stored extends { readonly id: string; readonly version: number }>(
    resources: Resources<Stored>,
    id: string | undefined,
    list: Work,
  ): Methods {
    if (id === undefined || id === '') return { GET: list, POST: (call) => resources.create(call) };
    if (id === '.search') return { POST: list };
    return {
      GET: (call) => resources.read(call, id),
      PUT: (call) => resources.replace(call, id),
      PATCH: (call) => resources.patch(call, id),
      DELETE: (call) => resources.remove(call, id),
    };
  }
}

/** RFC 7644 §3.11: a client is no person, so that there is nobody to be. */
function notMe(): Answer {
  throw new LatchgateError('scim_not_implemented', 'there is no /Me');
}
