import type { Writable } from 'node:stream';
import { createLogger as createWinston, format, transports } from 'winston';
import { createRedactor } from './redact.ts';
import { currentTraceId } from './tracing.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFields = Readonly<Record<string, unknown>>;

/** `message` is a constant text; whatever differs from line to line goes into `fields`, an Error as `error`. */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Values that are hidden wherever they stand: secrets of the config. */
  readonly secrets?: readonly string[];
  /** Stand in every line. */
  readonly fields?: LogFields;
  /** Default: standard output. */
  readonly stream?: Writable;
}

/** One JSON object a line: level, message, timestamp, fields. Redacts everything that it writes, at every level. */
export function createLogger(options: LogOptions): Log {
  const redactor = createRedactor(options.secrets);
  const shape = format((info) => {
    const fields = redactor.value(info['fields'] ?? {}) as Record<string, unknown>;
    const message = redactor.text(String(info.message));
    const rest = { ...fields };
    delete rest['level'];
    delete rest['message'];
    delete info['fields'];
    const traceId = currentTraceId();
    const traced = traceId === undefined ? {} : { traceId };
    return Object.assign(info, options.fields, rest, traced, { message, timestamp: new Date().toISOString() });
  });
  const winston = createWinston({
    level: options.level,
    // Ours last: redaction sees what the other formats have made.
    format: format.combine(shape(), format.json({ deterministic: false })),
    transports: [
      options.stream === undefined
        ? new transports.Console({ stderrLevels: [] })
        : new transports.Stream({ stream: options.stream }),
    ],
  });
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    // Formats run before winston looks at the level: without this, redaction would be paid for lines that nobody writes.
    if (!winston.isLevelEnabled(level)) return;
    winston.log({ level, message, ...(fields === undefined ? {} : { fields }) });
  };
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
}
