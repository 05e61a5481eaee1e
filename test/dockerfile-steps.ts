/** One instruction of a Dockerfile. */
export interface Step {
  /** In capitals: `RUN`, `COPY`, … */
  readonly name: string;
  /** Everything behind it, on one line. */
  readonly text: string;
  readonly line: number;
}

/** From one `FROM` to the next. */
export interface Stage {
  readonly image: string;
  /** `AS name`. */
  readonly name: string | undefined;
  readonly steps: readonly Step[];
}

/** The stages of a Dockerfile. Knows the plain language: no here-documents, no parser directives. */
export function parseDockerfile(text: string): readonly Stage[] {
  const stages: { image: string; name: string | undefined; steps: Step[] }[] = [];
  for (const step of stepsOf(text)) {
    if (step.name === 'FROM') {
      const [image = '', , name] = step.text.split(/\s+/);
      stages.push({ image, name, steps: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage === undefined) throw new Error(`line ${step.line}: ${step.name} before any FROM`);
    stage.steps.push(step);
  }
  return stages;
}

function stepsOf(text: string): readonly Step[] {
  const steps: Step[] = [];
  let open: { parts: string[]; line: number } | undefined;
  for (const [at, raw] of text.split('\n').entries()) {
    const part = raw.trim();
    if (part === '' || part.startsWith('#')) continue;
    open ??= { parts: [], line: at + 1 };
    open.parts.push(part.replace(/\s*\\$/, ''));
    if (part.endsWith('\\')) continue;
    const [name = '', ...rest] = open.parts.join(' ').split(' ');
    steps.push({ name: name.toUpperCase(), text: rest.join(' ').trim(), line: open.line });
    open = undefined;
  }
  if (open !== undefined) throw new Error(`line ${open.line}: the last instruction has no end`);
  return steps;
}

/** Where a `COPY` takes from (`--from` stage, else the folder of the Dockerfile) and puts to. */
export interface Copy {
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly to: string;
}

export function parseCopy({ text, line }: Step): Copy {
  const words = text.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--'));
  const unknown = flags.find((flag) => !flag.startsWith('--from='));
  if (unknown !== undefined) throw new Error(`line ${line}: COPY with ${unknown} is not known here`);
  const paths = words.filter((word) => !word.startsWith('--'));
  const to = paths.pop();
  if (to === undefined || paths.length === 0) throw new Error(`line ${line}: COPY needs a source and a destination`);
  return { from: flags[0]?.slice('--from='.length), sources: paths, to };
}

/** The exec form (`["node", "main.js"]`), or undefined for a shell command line. */
export function execForm(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) {
    throw new Error('an exec form is a list of texts');
  }
  return words;
}

/** `CMD …` of a HEALTHCHECK, without its options. */
export function healthCommand(text: string): string {
  const at = text.indexOf('CMD ');
  if (at === -1) throw new Error('the health check has no CMD');
  return text.slice(at + 'CMD '.length).trim();
}

/** What `ENV NAME=value NAME="value"` sets. */
export function parseEnv({ text, line }: Step): readonly (readonly [string, string])[] {
  const pairs = [...text.matchAll(/([A-Z_][A-Z0-9_]*)=(?:"([^"]*)"|(\S*))/g)];
  if (pairs.length === 0) throw new Error(`line ${line}: ENV without NAME=value`);
  return pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare ?? ''] as const);
}
