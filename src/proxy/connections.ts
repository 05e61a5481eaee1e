import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** One connection of the public listener. */
export interface Connection {
  /** Those that are not over, in order: several when its client does not wait for one before it asks again. */
  readonly answers: ServerResponse[];
  /** It has not brought a request yet: browsers open some ahead, and Node does not count them as idle. */
  isUnused: boolean;
  /** Its answer says that it is the last: nothing that follows is looked at (RFC 9112 §9.6). */
  isOver: boolean;
}

/**
 * The connections of the listener and the answers that each of them waits for. In lists: sets and maps that answers come
 * into and go out of keep what was in them alive in V8's young generation, and garbage collection is then the most of the
 * work of a request.
 */
export class Connections {
  readonly #all = new Map<Duplex, Connection>();

  of(socket: Duplex): Connection {
    return this.#all.get(socket) ?? this.#begin(socket);
  }

  all(): Iterable<[Duplex, Connection]> {
    return this.#all;
  }

  /** Begins an answer, which is over when it closes. */
  add(connection: Connection, res: ServerResponse): void {
    connection.answers.push(res);
    res.once('close', () => {
      const at = connection.answers.indexOf(res);
      if (at !== -1) connection.answers.splice(at, 1);
    });
  }

  isAnswering(socket: Duplex): boolean {
    return (this.#all.get(socket)?.answers.length ?? 0) > 0;
  }

  /**
   * Whether an answer can be written onto the bare socket: nothing is written into one that is under way, nor in the
   * place of one whose request came whole. A request that breaks off in its body has its answer taken away.
   */
  takeOver(socket: Duplex): boolean {
    const [res, ...more] = this.#all.get(socket)?.answers ?? [];
    if (res === undefined) return true;
    if (more.length > 0 || res.req.complete || res.headersSent || res.socket !== socket) return false;
    res.detachSocket(socket as Socket);
    return true;
  }

  #begin(socket: Duplex): Connection {
    const connection: Connection = { answers: [], isUnused: false, isOver: false };
    if (socket.destroyed) return connection;
    this.#all.set(socket, connection);
    socket.once('close', () => {
      this.#all.delete(socket);
      for (const res of [...connection.answers]) tellClosed(res);
    });
    return connection;
  }
}

/** Of the answers of a connection that ended, Node tells only the one whose turn it was. */
function tellClosed(res: ServerResponse): void {
  if (res.socket !== null) return;
  res.destroy();
  res.emit('close');
}
