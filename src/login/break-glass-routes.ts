import type { Request, Response } from 'express';
import { requestIdOf, sendPage } from './answer.ts';
import { linkOver } from './break-glass.ts';
import { conclude, countStranger } from './callback.ts';
import { type LoginRoutesOptions, ownAddress, PREFIX, providerNamed, single } from './context.ts';
import { readForm } from './form-body.ts';
import { assertOwnOrigin } from './own-origin.ts';
import { breakGlassPage } from './pages.ts';

/** A handle, and the name of its field. */
const MOST_BYTES = 1_024;

/** `GET /.latchgate/break-glass?link=HANDLE`: only asks, so that no preview of a link uses it up. */
export function askBreakGlass(options: LoginRoutesOptions, req: Request, res: Response): void {
  const link = single(ownAddress(req, options, '/break-glass').searchParams, 'link') ?? '';
  sendPage(res, 200, (frame) => breakGlassPage({ action: `${PREFIX}/break-glass`, link }, frame), { posts: true });
}

/** `POST /.latchgate/break-glass`: logs in whom the link is for, by the same way as every login. */
export async function useBreakGlass(options: LoginRoutesOptions, req: Request, res: Response): Promise<void> {
  assertOwnOrigin(req, options);
  const link = single(await readForm(req, MOST_BYTES), 'link') ?? '';
  const used = await options.breakGlass?.use(link, requestIdOf(res)).catch((thrown: unknown) => {
    countStranger(options, req);
    throw thrown;
  });
  if (used === undefined) throw linkOver('handle');
  const { assertion, sessionMs } = used;
  const provider = providerNamed(assertion.origin, options);
  options.log.warn('a login by an emergency link', { requestId: requestIdOf(res), login: provider.name });
  const now = options.clock.now();
  const complete = async () => ({ assertion, issuedAt: now, endsAt: now + sessionMs, tokens: {} });
  await conclude(options, req, res, provider, { complete });
}
