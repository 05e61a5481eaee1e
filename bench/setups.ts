import { join } from 'node:path';
import { type Child, startChild, waitUntil } from '../test/services/child.ts';
import { projectRoot } from '../test/services/project.ts';

const READY_TIMEOUT_MS = 20_000;

/** Something that is measured: a proxy in front of the upstream. */
export interface Setup {
  readonly name: string;
  /** Without a slash at the end. */
  readonly url: string;
  readonly child: Child;
  /** Undefined: it asks nobody to log in. */
  readonly login?: {
    /** What a browser without a session asks for, one after the other, from this path until it is at the provider. */
    readonly redirectPaths: (path: string) => readonly string[];
  };
}

export interface OidcClient {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
}

export interface BackendsRequest {
  readonly people: readonly string[];
  readonly clients: readonly OidcClient[];
}

export interface BackendsReply {
  readonly issuer: string;
  readonly targetUrl: string;
  readonly targetToken: string;
  /** Takes every WebSocket and says nothing in it. */
  readonly socketsUrl: string;
}

/** Starts the identity provider and the backend's accounts API in a process of their own. */
export async function startBackends(request: BackendsRequest): Promise<{ child: Child; reply: BackendsReply }> {
  const main = join(projectRoot(), 'build', 'bench', 'backends.js');
  const child = startChild('identity provider', [process.execPath, main, JSON.stringify(request)]);
  const reply = () => child.log.find((line) => line.startsWith('{"issuer"'));
  await waitUntil(child, READY_TIMEOUT_MS, () => reply() !== undefined);
  return { child, reply: JSON.parse(reply() ?? '{}') as BackendsReply };
}

/** Waits until something answers at `url`, whatever it says. */
export async function waitForAnswer(child: Child, url: string): Promise<void> {
  await waitUntil(child, READY_TIMEOUT_MS, async () => {
    try {
      const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(2_000) });
      await response.body?.cancel();
      return true;
    } catch {
      return false;
    }
  });
}
