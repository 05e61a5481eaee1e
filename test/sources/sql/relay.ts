import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a database, counts, and can break the connections. */
export interface Relay {
  readonly port: number;
  /** Bytes that the client was sent so far. */
  received(): number;
  /** Breaks every connection once this many further bytes came from the database. */
  breakAfter(bytes: number): void;
  close(): Promise<void>;
}

export async function startRelay(target: number): Promise<Relay> {
  let received = 0;
  let limit = Number.POSITIVE_INFINITY;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const database = connect(target, '127.0.0.1');
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    client.pipe(database);
    database.on('data', (piece) => {
      received += piece.length;
      if (received > limit) {
        client.destroy();
        return;
      }
      if (client.write(piece)) return;
      database.pause();
      client.once('drain', () => database.resume());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    received: () => received,
    breakAfter: (bytes) => {
      limit = received + bytes;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
