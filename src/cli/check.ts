import { type Complaint, formatComplaint } from '../config/complaint.ts';
import { examineConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Io } from './io.ts';

export interface CheckOptions {
  readonly config: string;
  /** One JSON object instead of lines. */
  readonly json?: boolean;
}

const EXIT_OK = 0;
const EXIT_CONFIG = 2;

/**
 * `latchgate check`: prints every complaint with its place, to standard error; or one line about what is there and the
 * warnings. Exit code 0, or 2 when there is a complaint. Reads nothing but the file and the secret files that it names.
 */
export async function check(options: CheckOptions, io: Io): Promise<number> {
  const { config, complaints, warnings } = examineConfig(options.config, { env: io.env });
  if (options.json === true) {
    io.out(
      JSON.stringify({ ok: config !== undefined, complaints: complaints.map(asJson), warnings: warnings.map(asJson) }),
    );
    return config === undefined ? EXIT_CONFIG : EXIT_OK;
  }
  if (config === undefined) {
    for (const complaint of complaints) io.err(formatComplaint(complaint));
    io.err(`${count(complaints.length, 'complaint')}: the gateway would not start with this file`);
    return EXIT_CONFIG;
  }
  for (const warning of warnings) io.err(`warning: ${formatComplaint(warning)}`);
  io.out(`${options.config}: ${summary(config)}`);
  return EXIT_OK;
}

function summary(config: Config): string {
  const parts = [
    count(Object.keys(config.login).length, 'login'),
    count(Object.keys(config.rules).length, 'rule'),
    count(Object.keys(config.targets).length, 'target'),
    count(config.routes.length, 'route'),
    ...[count(Object.keys(config.sync).length, 'sync')].filter((part) => !part.startsWith('0 ')),
  ];
  return `ok: ${parts.join(', ')}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Stable members; more may be added. */
function asJson({ file, line, column, path, code, message, hint }: Complaint): Record<string, unknown> {
  return { file, line, column, path, code, message, ...(hint === undefined ? {} : { hint }) };
}
