import { toLatchgateError } from '../../model/errors.ts';
import type { Upstream, UpstreamOptions } from '../forward.ts';
import { Exchange } from './exchange.ts';
import { type Place, placeOf } from './place.ts';
import { Pool } from './pool.ts';
import { type RequestHead, writeRequestHead } from './request-head.ts';

export const DEFAULT_CONNECTIONS = 512;

/** HTTP/1.1 to one upstream over kept connections. Only the origin of `url` counts. */
export function createUpstream(url: string, options: UpstreamOptions = {}): Upstream {
  return upstreamAt(placeOf(new URL(url)), options);
}

export function upstreamAt(place: Place, options: UpstreamOptions): Upstream {
  const limits = {
    connect: options.connectTimeoutMs ?? 10_000,
    answer: options.answerTimeoutMs ?? 300_000,
    idle: options.idleTimeoutMs ?? 600_000,
  };
  const pool = new Pool(place, limits, options.connections ?? DEFAULT_CONNECTIONS);
  return {
    send: (request, response, events) => {
      let head: RequestHead;
      try {
        head = writeRequestHead(request);
      } catch (error) {
        request.body?.discard();
        events.failed(toLatchgateError(error), false);
        return () => {};
      }
      const exchange = new Exchange(request, head, response, events);
      pool.run(exchange);
      return (reason) => exchange.giveUp(reason);
    },
    close: () => pool.close(),
  };
}
