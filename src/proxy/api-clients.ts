import type { IncomingMessage, ServerResponse } from 'node:http';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { BearerPlace, ProxyBearer, ProxyBearers, ProxySession } from './deps.ts';
import type { Failures } from './failures.ts';
import type { FlatHeaders } from './identity-headers.ts';

/** Requests that bring an access token of one of our providers in place of a session cookie (RFC 6750 §2.1). */
export class ApiClients {
  readonly #bearers: ProxyBearers | undefined;
  readonly #failures: Failures;

  constructor(bearers: ProxyBearers | undefined, failures: Failures) {
    this.#bearers = bearers;
    this.#failures = failures;
  }

  /**
   * What the request is to be decided by, whatever cookie it has. Undefined: no such token; Authorization is the business
   * of the upstream. Throws `request_invalid` when there is such a token and another Authorization.
   */
  tokenOf({ headers, rawHeaders }: IncomingMessage): ProxyBearer | undefined {
    if (this.#bearers === undefined || headers.authorization === undefined) return undefined;
    const lines = rawHeaders.filter((_, at) => at % 2 === 1 && isAuthorization(rawHeaders[at - 1]));
    const [token, ...more] = lines.map((line) => this.#bearers?.tokenIn(line));
    if (more.length === 0) return token;
    if (token === undefined && more.every((other) => other === undefined)) return undefined;
    throw new LatchgateError('request_invalid', 'more than one Authorization');
  }

  /** Throws what refuses the token, `too_many_requests` for who comes with bad ones over and over. */
  session(req: IncomingMessage, token: ProxyBearer, at: BearerPlace): ProxySession | Promise<ProxySession> {
    const known = this.#bearers?.peek(token);
    return known ?? this.#begin(req, token, at);
  }

  /** RFC 6750 §3. `error`: why the request is refused; without one nobody was there. */
  challenge(res: ServerResponse, error?: LatchgateError): void {
    if (this.#bearers === undefined) return;
    const { code, detail } = error ?? {};
    if (code === undefined) res.setHeader('WWW-Authenticate', 'Bearer');
    else if (code === 'invalid_token') res.setHeader('WWW-Authenticate', `Bearer error="${code}"`);
    else if (code === 'insufficient_scope') {
      res.setHeader('WWW-Authenticate', `Bearer error="${code}", scope="${detail?.['scope']}"`);
    }
  }

  async #begin(req: IncomingMessage, token: ProxyBearer, at: BearerPlace): Promise<ProxySession> {
    this.#failures.check(req);
    try {
      return await (this.#bearers as ProxyBearers).session(token, at);
    } catch (thrown) {
      if (toLatchgateError(thrown).status < 500) this.#failures.failed(req);
      throw thrown;
    }
  }
}

/** The token was for us alone. */
export function dropAuthorization(headers: FlatHeaders): void {
  for (let at = headers.length - 2; at >= 0; at -= 2) if (isAuthorization(headers[at])) headers.splice(at, 2);
}

export function endedToken(): LatchgateError {
  return new LatchgateError('invalid_token', 'the session of this token has ended');
}

function isAuthorization(name: string | undefined): boolean {
  return name?.length === 13 && name.toLowerCase() === 'authorization';
}
