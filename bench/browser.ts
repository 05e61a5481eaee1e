import { request } from 'undici';

const STEPS = 15;
const STEP_TIMEOUT_MS = 15_000;

export interface Arrival {
  readonly url: string;
  readonly status: number;
  readonly body: string;
}

/**
 * As much of a browser as a login needs: follows redirects, keeps cookies, and clicks a person on the provider's page.
 * Cookies are kept by origin, although browsers share them between ports: here every port stands for a host of its own.
 */
export class Browser {
  private readonly jars = new Map<string, Map<string, string>>();
  private readonly person: string;

  constructor(person: string) {
    this.person = person;
  }

  /** Opens an address as a person would, and logs in on the way when that is asked for. */
  async open(address: string): Promise<Arrival> {
    let url = new URL(address);
    let form: string | undefined;
    for (let step = 0; step < STEPS; step += 1) {
      const { status, location, body } = await this.fetch(url, form);
      form = undefined;
      if (status >= 300 && status < 400 && location !== undefined) {
        url = new URL(location, url);
      } else if (url.pathname.startsWith('/interaction/') && body.includes('name="sub"')) {
        form = new URLSearchParams({ sub: this.person }).toString();
      } else {
        return { url: url.href, status, body };
      }
    }
    throw new Error(`${address}: still on the way after ${STEPS} steps, at ${url.origin}${url.pathname}`);
  }

  /** The Cookie header for an origin. */
  cookies(origin: string): string {
    return [...(this.jars.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  forget(origin: string): void {
    this.jars.delete(origin);
  }

  // Not the global fetch: it says of itself that it is no navigation (Sec-Fetch-Mode).
  private async fetch(url: URL, form: string | undefined) {
    const headers: Record<string, string> = { accept: 'text/html,application/xhtml+xml' };
    const cookies = this.cookies(url.origin);
    if (cookies !== '') headers['cookie'] = cookies;
    if (form !== undefined) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
      headers['origin'] = url.origin;
    }
    const response = await request(url, {
      method: form === undefined ? 'GET' : 'POST',
      headers,
      signal: AbortSignal.timeout(STEP_TIMEOUT_MS),
      ...(form === undefined ? {} : { body: form }),
    });
    this.keep(url.origin, [response.headers['set-cookie'] ?? []].flat());
    const location = [response.headers['location'] ?? []].flat()[0];
    return { status: response.statusCode, location, body: await response.body.text() };
  }

  private keep(origin: string, lines: readonly string[]): void {
    const jar = this.jars.get(origin) ?? new Map<string, string>();
    this.jars.set(origin, jar);
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';');
      const at = pair.indexOf('=');
      const name = pair.slice(0, at).trim();
      if (attributes.some(endsCookie)) jar.delete(name);
      else jar.set(name, pair.slice(at + 1).trim());
    }
  }
}

function endsCookie(attribute: string): boolean {
  const [name = '', value = ''] = attribute.trim().split('=');
  if (/^max-age$/i.test(name)) return Number(value) <= 0;
  return /^expires$/i.test(name) && Date.parse(value) <= Date.now();
}
