import { createSocket } from 'node:dgram';
import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { connect as connectTls } from 'node:tls';
import { LatchgateError } from '../model/errors.ts';
import { type DeliveredRecord, type Receiver, TooLarge } from './receiver.ts';
import type { SyslogConfig } from './schema.ts';

const APP = 'latchgate';
/** RFC 5424 §6.2.1. */
const NOTICE = 5;
const INFORMATIONAL = 6;
const LONGEST_MESSAGE_ID = 32;
/** RFC 5424 §7.3.1: then it begins again with 1. */
const LAST_SEQUENCE_ID = 2_147_483_647;
/** RFC 768 and 791: what a datagram of IPv4 holds beside its headers. */
const LARGEST_DATAGRAM = 65_507;

/**
 * RFC 5424 by TLS (RFC 5425), TCP (RFC 6587 §3.4.1) or UDP (RFC 5426). A syslog receiver never says that it has something.
 * With a connection a batch therefore ends by our closing, and counts once the receiver has closed as well: by then it
 * has read to the end.
 */
export function createSyslogReceiver(name: string, config: SyslogConfig): Receiver {
  const { protocol, hostname: host, port } = new URL(config.url);
  const to = { host: host.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'tls:' ? 6_514 : 514) };
  return {
    name,
    batch: config.batch,
    from: config.from,
    send: async (records, signal) => {
      const messages = records.map((record) => Buffer.from(syslogMessage(record, config.facility)));
      const limit = AbortSignal.any([signal, AbortSignal.timeout(config.timeout)]);
      if (protocol === 'udp:') return sendDatagrams(messages, to);
      const framed = Buffer.concat(messages.flatMap((message) => [Buffer.from(`${message.length} `), message]));
      const ca = config.ca === undefined ? {} : { ca: config.ca };
      const servername = isIPv6(to.host) || /^[\d.]+$/.test(to.host) ? {} : { servername: to.host };
      return sendStream(framed, limit, () =>
        protocol === 'tls:' ? connectTls({ ...to, ...ca, ...servername }) : connectTcp(to),
      );
    },
  };
}

/** One message: header, `meta` with the sequence number, and the record as JSON in ASCII. */
function syslogMessage({ record, hash }: DeliveredRecord, facility: number): string {
  const severity = record.code === undefined ? INFORMATIONAL : NOTICE;
  const messageId = record.event.replace(/[^\x21-\x7e]/g, '').slice(0, LONGEST_MESSAGE_ID) || '-';
  const host = hostname().replace(/[^\x21-\x7e]/g, '') || '-';
  const sequence = ((record.seq - 1) % LAST_SEQUENCE_ID) + 1;
  const text = asciiJson({ ...record, hash });
  const head = `<${facility * 8 + severity}>1 ${record.at.toISOString()} ${host} ${APP} ${process.pid} ${messageId}`;
  return `${head} [meta sequenceId="${sequence}"] ${text}`;
}

/** Without a byte order mark a message is of no known encoding, unless it is ASCII (RFC 5424 §6.4). */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

async function sendDatagrams(
  messages: readonly Buffer[],
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  const largest = Math.max(...messages.map(({ length }) => length));
  // Ahead of the first: none of them is sent twice for the sake of another.
  if (largest > LARGEST_DATAGRAM) throw new TooLarge({ bytes: largest });
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  try {
    for (const message of messages) {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.send(message, port, host, (error) => {
          socket.off('error', reject);
          if (error === null) resolve();
          else reject(error);
        });
      });
    }
  } catch (thrown) {
    throw failed(thrown);
  } finally {
    socket.close();
  }
}

function sendStream(bytes: Buffer, limit: AbortSignal, open: () => Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = open();
    const giveUp = () => socket.destroy(new Error('no end in time'));
    let failure: Error | undefined;
    limit.addEventListener('abort', giveUp, { once: true });
    if (limit.aborted) giveUp();
    let ended = false;
    socket.once('end', () => {
      ended = true;
    });
    socket.once('error', (error) => {
      failure = error;
    });
    socket.once('close', () => {
      limit.removeEventListener('abort', giveUp);
      if (failure === undefined && ended && socket.writableFinished) resolve();
      else reject(failed(failure));
    });
    // What a receiver says is read, or it could not close.
    socket.resume();
    socket.end(bytes);
  });
}

function failed(cause: unknown): LatchgateError {
  return new LatchgateError('audit_undelivered', 'the receiver did not take the records', { cause });
}
