import { type ExaminedConfig, examineConfig } from '../../src/config/load.ts';

export const FILE = '/etc/latchgate/latchgate.yaml';

/** Long enough and not guessable. Looked for in complaints: it must never be there. */
export const SECRET = 'q8Zr5vT1mX0cW7nB4kJ9sD2fG6hL3pYe';

/** A config that is right, as a map of its sections' YAML; tests put another text in place of one. */
const SECTIONS: Readonly<Record<string, string>> = {
  version: 'version: 1',
  public_url: 'public_url: https://bi.example.com',
  session: `session: { secrets: ["${SECRET}"] }`,
  login: 'login: { staff: { issuer: "https://id.example.com", client_id: latchgate } }',
  rules: 'rules: { analysts: { when: { groups: analytics-team }, grant: { superset: { roles: [Alpha] } } } }',
  targets: 'targets: { superset: { type: superset, url: "http://superset:8088" } }',
  routes: 'routes: [{ path: /, to: superset }]',
};

/** The text of a right config with these sections in place of its own, one a line and in this order. */
export function configText(sections: Readonly<Record<string, string>> = {}): string {
  return `${Object.values({ ...SECTIONS, ...sections })
    .filter((section) => section !== '')
    .join('\n')}\n`;
}

export interface World {
  readonly env?: Readonly<Record<string, string>>;
  /** Other files by absolute path; an Error is thrown when the file is read. */
  readonly files?: Readonly<Record<string, string | Uint8Array | Error>>;
}

/** Examines a text as if it stood in /etc/latchgate/latchgate.yaml. */
export function examine(text: string | Uint8Array, { env = {}, files = {} }: World = {}): ExaminedConfig {
  const all: Record<string, string | Uint8Array | Error> = { [FILE]: text, ...files };
  return examineConfig(FILE, {
    env,
    readFile: (path, limitBytes) => {
      const content = all[path];
      if (content === undefined) throw Object.assign(new Error('not there'), { code: 'ENOENT' });
      if (content instanceof Error) throw content;
      return Buffer.from(content as string).subarray(0, limitBytes + 1);
    },
  });
}

/** Complaints as `code path`, in order. */
export function codes(examined: ExaminedConfig): readonly string[] {
  return examined.complaints.map(({ code, path }) => [code, path.join('.')].join(' ').trim());
}

export function warningCodes(examined: ExaminedConfig): readonly string[] {
  return examined.warnings.map(({ code, path }) => [code, path.join('.')].join(' ').trim());
}
