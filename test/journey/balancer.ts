import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Balancer {
  /** Connections that each instance was given. */
  readonly given: readonly number[];
  close(): Promise<void>;
}

/** Gives each connection at `port` to the next of these listeners, as the plainest load balancer does. */
export async function startBalancer(port: number, instances: readonly { readonly url: string }[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  const given = instances.map(() => 0);
  let next = 0;
  const server = createServer((client) => {
    const at = next % instances.length;
    next += 1;
    given[at] = (given[at] ?? 0) + 1;
    const { hostname, port: to } = new URL(instances[at]?.url ?? '');
    const upstream = connect({ host: hostname, port: Number(to) });
    for (const [from, into] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => into.destroy());
      from.on('close', () => {
        sockets.delete(from);
        // What it said last arrives first.
        into.destroySoon();
      });
      from.pipe(into);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  if ((server.address() as AddressInfo).port !== port) throw new Error('another port was taken');
  return {
    given,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
