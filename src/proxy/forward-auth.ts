import type { IncomingMessage, ServerResponse } from 'node:http';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { type ApiClients, endedToken } from './api-clients.ts';
import { withoutCookies } from './cookies.ts';
import type { ProxyDeps, ProxySession, ProxyTarget } from './deps.ts';
import { exactNames, IDENTITY_NAMES, onlyWho } from './forward-auth-names.ts';
import {
  addressBehind,
  createSecretCheck,
  isEnvoyCheck,
  isOfPagesOf,
  statusOf,
  wantsWebSocket,
  wrongQuestion,
} from './forward-auth-question.ts';
import { type Gate, goesElsewhere } from './gate.ts';
import type { Hosts, ServedHost } from './hosts.ts';
import { type FlatHeaders, identityHeaders, namesOf } from './identity-headers.ts';
import { callerOf, isNavigation, loginAddress, placeToReturn, sendLoginRequired } from './login-redirect.ts';
import { type OriginalRequest, readOriginal } from './original-request.ts';
import type { Passage } from './passage.ts';
import { createPeerList, plainAddress } from './peers.ts';
import { drain, hasBody } from './request-body.ts';
import { isAtOrBelow } from './target.ts';
import { headersOf } from './upstream/request-head.ts';

const GATEWAY_PATH = '/.latchgate';
const ACCOUNT_TIMEOUT_MS = 5_000;
const NOTICE_EVERY_MS = 60_000;
const STRANGER = 'forward-auth is asked by a peer that is not in trusted_proxies: routes do not count';
const WITHOUT_SECRET =
  'forward-auth is asked without the secret of forward_auth: what signs in at the backend and cookies are left out';

export interface ForwardAuthParts {
  readonly deps: ProxyDeps;
  readonly hosts: Hosts;
  readonly gate: Gate;
  readonly clients: ApiClients;
  readonly targetOf: (name: string) => ProxyTarget;
  /** Answers with the page or the JSON of a failure under this status, and notes it. */
  readonly refuse: (
    req: IncomingMessage,
    res: ServerResponse,
    error: LatchgateError,
    requestId: string,
    at: { readonly passage: Passage | undefined; readonly status: number },
  ) => void;
}

/** How the server in front wants to be answered. */
interface Dialect {
  readonly allowed: 200 | 202;
  /** A browser without a session is sent to the login by our answer; else the server in front makes that of a 401. */
  readonly redirects: boolean;
}

interface Reserved {
  readonly headers: readonly string[];
  /** What the client says there goes to the upstream as it is. */
  readonly leavesAuthorization: boolean;
  readonly cookies: { readonly names: ReadonlySet<string>; readonly prefixes: readonly string[] };
}

/** One question, as it arrived. */
interface Question {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly requestId: string;
  readonly dialect: Dialect;
  /** A web server asks by itself. Else a browser may stand behind the peer, whose scripts are to read no cookie, and no token that is good from anywhere. */
  readonly isOfServer: boolean;
}

/**
 * `GET /.latchgate/auth`: whether a server in front (nginx, Traefik, Caddy, Envoy) may let a request through, and whose it
 * is. The original request is believed of `trusted_proxies` alone, and then everything that holds for a forwarded request
 * holds for it. For anybody else the session alone decides. What signs in at a backend from anywhere, and the cookies of
 * the client, are given to who has the secret of `forward_auth` alone: `trusted_proxies` may carry requests of browsers to
 * us too. The assertion is of use to who stands where only the gateway should, and for a minute.
 */
export class ForwardAuth {
  readonly #parts: ForwardAuthParts;
  readonly #isTrusted: (address: string) => boolean;
  readonly #hasSecret: ReturnType<typeof createSecretCheck>;
  /** By target: what only we may say. */
  readonly #reserved: ReadonlyMap<string, Reserved>;
  /** By what was prepared for one session in one target: that stays the same for many requests. */
  readonly #completed = new WeakMap<readonly string[], readonly string[]>();
  #noticedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ForwardAuthParts) {
    const { targets, trustedProxies, forwardAuthSecrets = [] } = parts.deps;
    this.#parts = parts;
    this.#isTrusted = createPeerList(trustedProxies);
    this.#hasSecret = createSecretCheck(forwardAuthSecrets);
    const everywhere = targets
      .flatMap(({ signIn }) => signIn?.drop ?? [])
      .filter((name) => !/^authorization$/i.test(name));
    this.#reserved = new Map(
      targets.map(({ name, signIn, backendSession }) => {
        const headers = exactNames([...IDENTITY_NAMES, ...everywhere, ...(signIn?.drop ?? [])]);
        const kept = [...(backendSession?.cookieNames ?? []), ...(signIn?.dropCookies ?? [])];
        const { names, prefixes } = namesOf([...parts.deps.cookieNames, ...kept]);
        const leavesAuthorization = !headers.some((header) => header.toLowerCase() === 'authorization');
        return [name, { headers, leavesAuthorization, cookies: { names: new Set(names), prefixes } }];
      }),
    );
  }

  /** Never throws. */
  async answer(req: IncomingMessage, res: ServerResponse, requestId: string): Promise<void> {
    const isEnvoy = isEnvoyCheck(req.url);
    const redirects = isEnvoy || /\?(?:[^#]*&)?redirect=1(?:&|$)/.test(req.url ?? '');
    const isOfServer = this.#isTrusted(plainAddress(req.socket.remoteAddress)) && this.#hasSecret(req.headers);
    const question: Question = {
      req,
      res,
      requestId,
      dialect: { allowed: isEnvoy ? 200 : 202, redirects },
      isOfServer,
    };
    if (hasBody(req.rawHeaders)) drain(req);
    const wrong = isEnvoy ? undefined : wrongQuestion(req);
    if (wrong !== undefined) {
      if (wrong.code === 'method_not_allowed') res.setHeader('Allow', 'GET, HEAD');
      this.#parts.refuse(req, res, wrong, requestId, { passage: undefined, status: wrong.status });
      return;
    }
    let passage: Passage | undefined;
    try {
      const original = this.#original(question, isEnvoy);
      if (original === undefined) return await this.#bySessionAlone(question);
      const { target, method } = original;
      const host = this.#host(original, req.headers.host, isEnvoy);
      passage = { requestId, startedAt: performance.now(), host, target, method };
      await this.#decide(question, passage);
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      this.#parts.refuse(req, res, error, requestId, { passage, status: statusOf(error) });
    }
  }

  /** Undefined: nobody whom we believe says what the question is about. */
  #original({ req, isOfServer }: Question, isEnvoy: boolean): OriginalRequest | undefined {
    const { method, socket, url = '' } = req;
    const known = isEnvoy ? { address: addressBehind(url), method: method ?? '' } : undefined;
    const original = readOriginal(req, known);
    const peer = plainAddress(socket.remoteAddress);
    if (this.#isTrusted(peer)) {
      if (!isOfServer && original !== undefined) this.#notice(WITHOUT_SECRET, peer);
      if (original !== 'odd') return original;
      throw new LatchgateError('request_invalid', 'what is said of the original request contradicts itself or is odd');
    }
    if (original !== undefined) this.#notice(STRANGER, peer);
    return undefined;
  }

  /** Envoy asks under the host that it was asked by; others may know us by an internal name. */
  #host({ host: said }: OriginalRequest, asked: string | undefined, isEnvoy: boolean): ServedHost {
    const { hosts } = this.#parts;
    const host = hosts.find(said ?? asked ?? '') ?? (said === undefined && !isEnvoy ? hosts.main : undefined);
    if (host !== undefined) return host;
    throw new LatchgateError('host_unknown', 'no route names the host of the original request');
  }

  async #decide(question: Question, passage: Passage): Promise<void> {
    const { gate, clients, targetOf } = this.#parts;
    const { req, dialect } = question;
    const { path } = passage.target;
    if (isAtOrBelow(path, GATEWAY_PATH)) {
      throw new LatchgateError('route_unknown', 'pages of the gateway are served by it, and never asked about');
    }
    const route = gate.route(passage);
    const target = targetOf(route.target);
    const elsewhere = dialect.redirects ? goesElsewhere(target, passage) : undefined;
    if (elsewhere !== undefined) return this.#redirect(question, passage.host.origin + elsewhere);
    passage.client = clients.tokenOf(req);
    gate.guard(req.headers, passage, target);
    const isHandshake = wantsWebSocket(req.headers);
    if (isHandshake && !isOfPagesOf(passage.host, req, passage.client !== undefined)) {
      throw new LatchgateError('origin_not_allowed', 'a WebSocket that a page of another origin opens');
    }
    if (route.isPublic && !isHandshake) return this.#allow(question, [], passage);
    const who = await this.#who(req, passage, route.target);
    if (who === undefined) return this.#askForLogin(question, passage);
    passage.who = who;
    const { session, prepared } = await gate.admit(who, route, target);
    if (session.ended) return this.#askForLogin(question, passage);
    const headers = headersOf(prepared.lines.join(''));
    this.#allow(question, question.isOfServer ? headers : onlyWho(headers), passage);
  }

  async #who(req: IncomingMessage, { client, requestId }: Passage, target: string): Promise<ProxySession | undefined> {
    const { deps, clients } = this.#parts;
    return client === undefined
      ? deps.sessions.read(req.headers.cookie)
      : clients.session(req, client, { target, requestId });
  }

  async #bySessionAlone(question: Question): Promise<void> {
    const { req, res, requestId } = question;
    const { deps, hosts, clients } = this.#parts;
    const client = clients.tokenOf(req);
    const who = await (client === undefined
      ? deps.sessions.read(req.headers.cookie)
      : clients.session(req, client, { requestId }));
    if (who !== undefined) return this.#allow(question, await this.#told(who), undefined);
    deps.metrics.refused('login_required');
    const { main } = hosts;
    const loginUrl = main.origin + loginAddress(main, main, '/');
    sendLoginRequired(res, { loginUrl, requestId, isHead: req.method === 'HEAD' });
  }

  /** The user name is that of a target: told when there is only one. */
  async #told({ session: { identity } }: ProxySession): Promise<FlatHeaders> {
    const { account, targets } = this.#parts.deps;
    const [target, ...more] = targets;
    const state =
      target === undefined || more.length > 0
        ? undefined
        : await account(identity.person, target.name, AbortSignal.timeout(ACCOUNT_TIMEOUT_MS)).catch(() => undefined);
    const userName = state?.status === 'ready' ? state.userName : undefined;
    const [, , ...others] = identityHeaders({ ...identity, userName: '' });
    return userName === undefined ? others : identityHeaders({ ...identity, userName });
  }

  #allow(question: Question, headers: readonly string[], passage: Passage | undefined): void {
    const { req, res, requestId, dialect, isOfServer } = question;
    const { accessLog, log } = this.#parts.deps;
    const target = passage?.route?.target;
    if (accessLog === true) log.info('asked about a request', { requestId, method: req.method, target });
    const reserved = target === undefined ? undefined : this.#reserved.get(target);
    const all = [...this.#withEmpty(headers, reserved?.headers ?? IDENTITY_NAMES)];
    if (reserved !== undefined) {
      const { cookie = '', authorization = '' } = isOfServer ? req.headers : {};
      all.push('Cookie', withoutCookies(cookie, reserved.cookies.names, reserved.cookies.prefixes) ?? '');
      // A token that signed somebody in here was for us alone.
      if (reserved.leavesAuthorization) all.push('Authorization', passage?.client === undefined ? authorization : '');
    }
    all.push('Content-Length', '0', 'Cache-Control', 'no-store', 'X-Request-Id', requestId);
    res.writeHead(dialect.allowed, all);
    res.end();
  }

  /** A server in front that only adds what it is told would leave what a client sent under a name that we leave out. */
  #withEmpty(headers: readonly string[], names: readonly string[]): readonly string[] {
    let completed = this.#completed.get(headers);
    if (completed === undefined) {
      const told = new Set(headers.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()));
      completed = [...headers, ...names.flatMap((name) => (told.has(name.toLowerCase()) ? [] : [name, '']))];
      this.#completed.set(headers, completed);
    }
    return completed;
  }

  #askForLogin(question: Question, { host, target, method, client }: Passage): void {
    if (client !== undefined) throw endedToken();
    const { req, res, requestId, dialect } = question;
    const { deps, hosts, clients } = this.#parts;
    deps.metrics.refused('login_required');
    // Who does not say the method asks as for a GET.
    const caller = callerOf(req.headers, method === '' ? 'GET' : method);
    // Absolute: the server in front may read an address without origin as one of its own upstream.
    const address = loginAddress(host, hosts.main, placeToReturn(caller, target.forward));
    const loginUrl = new URL(address, host.origin).href;
    if (dialect.redirects && isNavigation(caller)) {
      this.#redirect(question, loginUrl);
      return;
    }
    if (!isNavigation(caller)) clients.challenge(res);
    const headers = {
      'X-Latchgate-Code': 'login_required',
      ...(isNavigation(caller) && { 'X-Latchgate-Login': loginUrl }),
    };
    sendLoginRequired(res, { loginUrl, requestId, isHead: req.method === 'HEAD' }, headers);
  }

  #redirect({ res, requestId }: Question, location: string): void {
    res.writeHead(302, {
      Location: location,
      'Content-Length': 0,
      'Cache-Control': 'no-store',
      'X-Request-Id': requestId,
    });
    res.end();
  }

  #notice(message: string, peer: string): void {
    const { clock, log, onStranger } = this.#parts.deps;
    if (clock.now() - this.#noticedAt < NOTICE_EVERY_MS) return;
    this.#noticedAt = clock.now();
    log.warn(message, { peer });
    if (message === STRANGER) onStranger?.();
  }
}
