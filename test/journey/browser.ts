import { TLSSocket } from 'node:tls';
import { Agent, buildConnector, request } from 'undici';

const MOST_REDIRECTS = 20;

/** What a navigation ended with. */
export interface Page {
  readonly status: number;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Every answer on the way, the last included. */
  readonly trail: readonly { readonly status: number; readonly url: string }[];
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  /** False: a redirect is returned as it is. Default true. */
  readonly follow?: boolean;
}

const NAVIGATION = {
  accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
} as const;

/** One person's browser: keeps cookies by origin, and those with a domain by that; every name is this machine. Follows redirects, fills in forms. Node's fetch would say `cors`. */
export class Browser {
  /** What was agreed on for each TLS connection: `h2` or `http/1.1`. */
  readonly protocols = new Set<string>();
  readonly #agent: Agent;
  /** By origin; those of a domain by `.domain`. */
  readonly #jars = new Map<string, Map<string, string>>();

  /** `ca`: the certificate authority that this browser believes. */
  constructor(ca?: string) {
    const connect = buildConnector({
      lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
      allowH2: true,
      ...(ca === undefined ? {} : { ca }),
    });
    this.#agent = new Agent({
      keepAliveTimeout: 1_000,
      allowH2: true,
      connect: (options, done) =>
        connect(options, (...[error, socket]) => {
          if (socket instanceof TLSSocket) this.protocols.add(socket.alpnProtocol || 'http/1.1');
          if (error === null) done(null, socket);
          else done(error, null);
        }),
    });
  }

  /** A navigation as a person makes it. */
  visit(address: string | URL, ask: Ask = {}): Promise<Page> {
    return this.#go(new URL(address), { ...ask, headers: { ...NAVIGATION, ...ask.headers } });
  }

  /** A call as a script on our own page makes it; redirects are not followed. */
  call(address: string | URL, ask: Ask = {}): Promise<Page> {
    const headers = { accept: 'application/json', 'sec-fetch-mode': 'cors', ...ask.headers };
    return this.#go(new URL(address), { ...ask, headers, follow: false });
  }

  /** Presses a person's button on the page of the identity provider. */
  choose(page: Page, sub: string): Promise<Page> {
    return this.visit(page.url, { method: 'POST', form: { sub } });
  }

  /** Goes to an address, logs in on the way when asked to, and gives the page at the end. */
  async logIn(address: string | URL, sub: string): Promise<Page> {
    const page = await this.visit(address);
    return isChoice(page) ? this.choose(page, sub) : page;
  }

  /** Sends the first form of a page, as its button would, and the forms of pages that send theirs by themselves. */
  async submit(page: Page): Promise<Page> {
    const { action, fields } = formOf(page);
    const answer = await this.visit(new URL(action, page.url), {
      method: 'POST',
      form: fields,
      headers: { origin: page.url.origin, 'sec-fetch-site': 'same-origin' },
    });
    return answer.text.includes('document.forms[0].submit()') ? this.submit(answer) : answer;
  }

  cookie(origin: string | URL, name: string): string | undefined {
    return this.#cookies(new URL(origin)).find(([one]) => one === name)?.[1];
  }

  setCookie(origin: string | URL, name: string, value: string): void {
    this.#jar(new URL(origin).origin).set(name, value);
  }

  /** Takes every cookie of an origin away. */
  forget(origin: string | URL): void {
    this.#jars.delete(new URL(origin).origin);
  }

  /** Closes its connections; cookies stay. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #go(start: URL, ask: Ask): Promise<Page> {
    const trail: { status: number; url: string }[] = [];
    let url = start;
    let { method = 'GET', form } = ask;
    for (;;) {
      const answer = await this.#once(url, method, form, ask.headers ?? {});
      trail.push({ status: answer.status, url: url.href });
      const location = answer.headers['location'];
      if (answer.status < 300 || answer.status >= 400 || typeof location !== 'string' || ask.follow === false) {
        return { ...answer, url, trail };
      }
      if (trail.length > MOST_REDIRECTS) throw new Error(`redirects for ever: ${JSON.stringify(trail)}`);
      url = new URL(location, url);
      if (answer.status === 303 || method === 'POST') {
        method = 'GET';
        form = undefined;
      }
    }
  }

  async #once(url: URL, method: string, form: Ask['form'], headers: Readonly<Record<string, string>>) {
    const cookie = this.#cookies(url)
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
    const answer = await request(`${url.origin}${url.pathname}${url.search}`, {
      method: method as 'GET',
      dispatcher: this.#agent,
      headers: {
        ...headers,
        ...(cookie === '' ? {} : { cookie }),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      body: form === undefined ? null : new URLSearchParams(form).toString(),
    });
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) this.#keep(url, line);
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }

  #jar(key: string): Map<string, string> {
    const jar = this.#jars.get(key) ?? new Map<string, string>();
    this.#jars.set(key, jar);
    return jar;
  }

  #cookies({ origin, hostname }: URL): [string, string][] {
    return [...this.#jars].flatMap(([key, jar]) => (key === origin || `.${hostname}`.endsWith(key) ? [...jar] : []));
  }

  #keep({ origin, hostname }: URL, line: string): void {
    const [pair = '', ...attributes] = line.split(';');
    const at = pair.indexOf('=');
    const name = pair.slice(0, at).trim();
    const domain = attributes.flatMap((one) => /^\s*domain=\.?(.+)$/i.exec(one)?.[1] ?? [])[0];
    // A host sets no cookie for a domain that it is not in.
    if (domain !== undefined && !`.${hostname}`.endsWith(`.${domain}`)) return;
    const jar = this.#jar(domain === undefined ? origin : `.${domain}`);
    const isGone = attributes.some((one) => /^\s*(max-age=0|expires=thu, 01 jan 1970.*)$/i.test(one));
    if (isGone) jar.delete(name);
    else jar.set(name, pair.slice(at + 1).trim());
  }
}

/** Whether this is where the identity provider asks who one is. */
export function isChoice(page: Page): boolean {
  return page.status === 200 && page.url.pathname.startsWith('/interaction/');
}

/** Reason code and request id of a page of the gateway that refuses. */
export function refusalOn(page: Page): { readonly status: number; readonly code: string; readonly requestId: string } {
  const code = /<dt>Reason<\/dt><dd>([a-z_]+)<\/dd>/.exec(page.text)?.[1] ?? '';
  const requestId = /<dt>Request<\/dt><dd>([^<]+)<\/dd>/.exec(page.text)?.[1] ?? '';
  return { status: page.status, code, requestId };
}

function formOf({ text }: Page): { readonly action: string; readonly fields: Record<string, string> } {
  const form = /<form\b[^>]*method="post"[^>]*>[\s\S]*?<\/form>/i.exec(text)?.[0];
  if (form === undefined) throw new Error('the page has no form that posts');
  const fields: Record<string, string> = {};
  for (const [input] of form.matchAll(/<input\b[^>]*>/g)) {
    const name = attribute(input, 'name');
    if (name !== undefined) fields[name] = attribute(input, 'value') ?? '';
  }
  return { action: attribute(form, 'action') ?? '', fields };
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  return value?.replaceAll('&amp;', '&').replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}
