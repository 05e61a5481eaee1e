import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client } from 'undici';
import { pssBytes } from './process-tree.ts';
import type { ServerSays } from './scim-server.ts';
import { TOKEN } from './scim-site.ts';

const LOOK_EVERY_MS = 250;
const HEADERS = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/scim+json' };

/** A SCIM server in a process of its own, and one connection to it. */
export class ScimProcess {
  /** Of its proportional set size at its highest, looked at four times a second. */
  peakBytes = 0;
  readonly #child: ChildProcess;
  readonly #client: Client;
  readonly #look: NodeJS.Timeout;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#client = new Client(url, { bodyTimeout: 120_000, headersTimeout: 120_000 });
    this.#look = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  static async start(...args: readonly string[]): Promise<ScimProcess> {
    const execArgv = ['--disable-warning=ExperimentalWarning'];
    const child = fork(join(import.meta.dirname, 'scim-server.js'), args, { execArgv });
    const [said] = (await once(child, 'message')) as [ServerSays];
    if (!('url' in said)) throw new Error('the server does not say where it is');
    return new ScimProcess(child, said.url);
  }

  /** Throws for anything but success. */
  async call(method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown): Promise<Record<string, unknown>> {
    const text = body === undefined ? null : JSON.stringify(body);
    const answer = await this.#client.request({ method, path: `/scim/v2${path}`, headers: HEADERS, body: text });
    const said = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${said.slice(0, 300)}`);
    return said === '' ? {} : (JSON.parse(said) as Record<string, unknown>);
  }

  /** Milliseconds of CPU, user and system, that the process has used while this was done. */
  async cpuOf(work: () => Promise<void>): Promise<number> {
    const before = await this.#cpuMs();
    await work();
    return (await this.#cpuMs()) - before;
  }

  look(): void {
    this.peakBytes = Math.max(this.peakBytes, pssBytes(this.#child.pid ?? 0));
  }

  async close(): Promise<void> {
    clearInterval(this.#look);
    await this.#client.close();
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  async #cpuMs(): Promise<number> {
    const answer = once(this.#child, 'message') as Promise<[ServerSays]>;
    this.#child.send('cpu');
    const [said] = await answer;
    return 'cpuMs' in said ? said.cpuMs : Number.NaN;
  }
}
