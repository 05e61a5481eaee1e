import type { IncomingMessage, ServerResponse } from 'node:http';

/** What happens to the token requests that come. */
export interface TokenFault {
  /** Waited before the provider hears of the request. */
  readonly delayMs?: number;
  /** Answered in the place of the provider. */
  readonly status?: number;
  /** The provider does its work, and its answer is lost. */
  readonly lost?: boolean;
}

/** One token request as the fault has it. */
export async function brokenToken(
  { delayMs = 0, status, lost = false }: TokenFault,
  req: IncomingMessage,
  res: ServerResponse,
  serve: (req: IncomingMessage, res: ServerResponse) => unknown,
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  if (status !== undefined) return void res.writeHead(status, { 'content-type': 'text/plain' }).end('Sorry');
  if (lost) res.end = () => res.destroy();
  await serve(req, res);
}
