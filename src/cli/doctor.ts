import { examine } from '../compose/doctor/doctor.ts';
import { type Examined, FINDINGS, type Finding } from '../compose/doctor/findings.ts';
import { loadConfig } from '../config/load.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Io } from './io.ts';
import { printable } from './table.ts';

export interface DoctorOptions {
  readonly config: string;
  /** One JSON object instead of lines. */
  readonly json?: boolean;
  /** Codes of findings, separated by commas, that are known: they are not shown and do not count. */
  readonly ignore?: string;
}

const EXIT_OK = 0;
const EXIT_FINDINGS = 6;

/**
 * `latchgate doctor`: tries the wiring and prints what it found, each with its fix. Exit code 0, or 6 with findings. With
 * `json`: `{"ok","findings":[{"code","about","seen","fix"}],"looks":[{"about","what","findings","skipped"}]}`.
 */
export async function doctor(options: DoctorOptions, io: Io): Promise<number> {
  const known = ignoredBy(options.ignore);
  const config = loadConfig(options.config, { env: io.env });
  const all = await examine({ configFile: options.config, config, env: io.env });
  const looks = all.map((one) => ({ ...one, findings: one.findings.filter(({ code }) => !known.has(code)) }));
  const findings = looks.flatMap((one) => one.findings);
  if (options.json === true) io.out(JSON.stringify(asJson(looks, findings)));
  else for (const line of doctorLines(looks)) io.out(line);
  return findings.length === 0 ? EXIT_OK : EXIT_FINDINGS;
}

function ignoredBy(list = ''): ReadonlySet<string> {
  const codes = list
    .split(',')
    .map((code) => code.trim())
    .filter((code) => code !== '');
  const unknown = codes.find((code) => !Object.hasOwn(FINDINGS, code));
  if (unknown !== undefined) throw new LatchgateError('usage', `--ignore: there is no finding ${printable(unknown)}`);
  return new Set(codes);
}

function asJson(looks: readonly Examined[], findings: readonly Finding[]): unknown {
  return {
    ok: findings.length === 0,
    findings,
    looks: looks.map(({ about, what, findings: found, skipped }) => ({
      about,
      what,
      findings: found.length,
      skipped: skipped ?? null,
    })),
  };
}

/** What a person reads: part by part what was looked at, then how many findings there are. */
export function doctorLines(looks: readonly Examined[]): readonly string[] {
  const parts = [...new Set(looks.map(({ about }) => about))].sort();
  const lines = parts.flatMap((about) => [
    printable(about),
    ...looks.filter((one) => one.about === about).flatMap(lookLines),
    '',
  ]);
  const count = looks.reduce((sum, { findings }) => sum + findings.length, 0);
  const skipped = looks.filter((one) => one.skipped !== undefined).length;
  const tail = skipped === 0 ? '' : `, ${skipped} not done`;
  return [
    ...lines,
    `${looks.length} looks${tail}: ${count === 0 ? 'nothing found' : `${count} ${count === 1 ? 'finding' : 'findings'}`}`,
  ];
}

function lookLines({ about, what, findings, skipped }: Examined): readonly string[] {
  const mark = skipped !== undefined ? 'not done' : findings.length === 0 ? 'good' : 'FOUND';
  const why = skipped === undefined ? '' : `: ${printable(skipped)}`;
  return [
    `  ${mark.padEnd(8)}  ${what}${why}`,
    ...findings.flatMap(({ code, about: at, seen, fix }) => [
      `            ${code}${at === about ? '' : ` (${printable(at)})`}`,
      `              seen: ${printable(seen)}`,
      `              fix:  ${printable(fix)}`,
    ]),
  ];
}
