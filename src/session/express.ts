import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import expressSession from 'express-session';
import type { Clock } from '../ops/clock.ts';
import { idleLimit, type SessionCookies } from './cookie.ts';
import type { SessionConfig } from './schema.ts';
import type { Session as SessionRecord, SessionStore, SessionTokens } from './store.ts';

declare module 'express-session' {
  interface SessionData {
    /** Absent: nobody is logged in. */
    record?: SessionRecord;
    /** Only while they are being stored. */
    tokens?: SessionTokens;
  }
}

export interface ExpressSessionsOptions {
  readonly cookies: SessionCookies;
  readonly store: SessionStore;
  readonly config: Pick<SessionConfig, 'idle'>;
  readonly clock: Clock;
}

export interface ExpressSessions {
  /** Puts `req.session` on requests of the gateway's own pages. */
  readonly middleware: RequestHandler;
  /** Under a new id, whatever the browser brought; what was there before is ended. */
  begin(req: Request, session: SessionRecord, tokens: SessionTokens): Promise<void>;
  /** Those of the session of this browser. */
  tokens(req: Request): Promise<SessionTokens>;
  /** Ends the session of this browser, if there is one, and takes its cookie away. */
  end(req: Request, res: Response): Promise<void>;
}

/** express-session over our store. The proxy reads the same cookie and record itself. */
export function createExpressSessions(options: ExpressSessionsOptions): ExpressSessions {
  const { cookies } = options;
  const serve = expressSession({
    name: cookies.name,
    secret: [...cookies.signingKeys],
    store: new StoreAdapter(options),
    genid: () => randomBytes(32).toString('base64url'),
    cookie: { ...cookies.attributes },
    saveUninitialized: false,
    resave: false,
  });
  return {
    middleware: (req, res, next) => {
      // express-session asks whether the request came over TLS; only public_url knows.
      Object.defineProperty(req, 'secure', { value: cookies.attributes.secure, configurable: true });
      const sent = req.headers.cookie;
      const id = cookies.read(sent);
      if (id === undefined) {
        delete req.headers.cookie;
        cookies.clearStrays(sent, res);
      } else req.headers.cookie = cookies.pair(id);
      // It reads the header before it goes on; whoever comes next is to see what the browser sent.
      serve(req, res, (error?: unknown) => {
        if (sent !== undefined) req.headers.cookie = sent;
        next(error);
      });
    },
    begin: async (req, session, tokens) => {
      await asPromise((done) => req.session.regenerate(done));
      req.session.record = session;
      req.session.tokens = tokens;
      await asPromise((done) => req.session.save(done));
    },
    tokens: async (req) => (await options.store.loadWhole(req.sessionID))?.tokens ?? {},
    end: async (req, res) => {
      if (req.session.record !== undefined) await asPromise((done) => req.session.destroy(done));
      cookies.clear(res);
    },
  };
}

function asPromise(call: (done: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === undefined || error === null ? resolve() : reject(error)));
  });
}

class StoreAdapter extends expressSession.Store {
  readonly #options: ExpressSessionsOptions;
  /** Records are never changed: one that is stored under an id need not be stored there again. */
  readonly #stored = new WeakMap<SessionRecord, string>();

  constructor(options: ExpressSessionsOptions) {
    super();
    this.#options = options;
  }

  override get(id: string, callback: (error: unknown, session?: expressSession.SessionData | null) => void): void {
    const { store, clock, cookies } = this.#options;
    store.load(id).then((record) => {
      if (record === undefined || record.endsAt <= clock.now()) return callback(null, null);
      callback(null, { cookie: { ...cookies.attributes, originalMaxAge: null }, record });
    }, callback);
  }

  override set(id: string, session: expressSession.SessionData, callback?: (error?: unknown) => void): void {
    const { store, config, clock } = this.#options;
    const { record, tokens } = session;
    if (record === undefined || this.#stored.get(record) === id) return void callback?.();
    store.save(id, record, idleLimit(record, config, clock.now()), tokens).then(() => {
      this.#stored.set(record, id);
      callback?.();
    }, callback);
  }

  override touch(id: string, session: expressSession.SessionData, callback?: (error?: unknown) => void): void {
    const { store, config, clock } = this.#options;
    const { record } = session;
    if (record === undefined) return void callback?.();
    store.touch(id, idleLimit(record, config, clock.now())).then(() => callback?.(), callback);
  }

  override destroy(id: string, callback?: (error?: unknown) => void): void {
    this.#options.store.destroy(id).then(() => callback?.(), callback);
  }
}
