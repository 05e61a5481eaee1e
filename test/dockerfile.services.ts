import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { execForm, healthCommand, parseCopy, parseDockerfile, parseEnv, type Stage } from './dockerfile-steps.ts';
import { type Child, startChild, waitUntil } from './services/child.ts';

/*
 * There is no container engine where these tests run. The steps of the Dockerfile are done here instead, in order, in a
 * folder for each stage: what they lead to must work with nothing else beside it.
 */

const project = join(import.meta.dirname, '..');
const STEP_LIMIT_MS = 240_000;
/** A Node of the image's own version, where there is one: `.ci/run` brings it. */
const node = process.env['LATCHGATE_NODE_24'] || process.execPath;

interface Built {
  readonly root: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
}

const folder = mkdtempSync(join(tmpdir(), 'latchgate-image-'));
chmodSync(folder, 0o755);
const stages = parseDockerfile(readFileSync(join(project, 'Dockerfile'), 'utf8'));
const finalSteps = (stages.at(-1) as Stage).steps;
const textOf = (name: string): string => finalSteps.findLast((step) => step.name === name)?.text ?? '';
let image: Built;

beforeAll(() => {
  const built = new Map<string, Built>();
  for (const [at, stage] of stages.entries()) {
    image = build(stage, join(folder, String(at)), built);
    if (stage.name !== undefined) built.set(stage.name, image);
  }
}, 2 * STEP_LIMIT_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what the Dockerfile builds', () => {
  it('has the dependencies of production and no others', () => {
    const modules = join(image.root, 'app', 'node_modules');
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
    };
    // What production needs itself, though we name it for development alone, is not marked so.
    const isForDevelopment = (name: string) => packages[`node_modules/${name}`]?.dev === true;
    const missing = Object.keys(dependencies ?? {}).filter((name) => !existsSync(join(modules, name)));
    const extra = Object.keys(devDependencies ?? {}).filter(
      (name) => isForDevelopment(name) && existsSync(join(modules, name)),
    );
    expect(Object.keys(devDependencies ?? {}).filter(isForDevelopment).length).toBeGreaterThan(10);
    expect({ missing, extra }).toEqual({ missing: [], extra: [] });
  });

  it('prints the JSON Schema of the config', () => {
    const schema: unknown = JSON.parse(inImage([...entrypoint(), 'schema']));
    expect(schema).toHaveProperty('properties.public_url');
  });

  it('serves as its own account, is found healthy, and ends by itself when it is asked to', async () => {
    const gateway = serve();
    try {
      const admin = await readyAt(gateway);
      const check = healthCommand(textOf('HEALTHCHECK'));
      const probe = (url: string) => inImage(execForm(check) ?? ['sh', '-c', check], { LATCHGATE_HEALTH_URL: url });
      expect(() => probe(`${admin}/healthz`)).not.toThrow();
      expect(() => probe(`${admin}/no-such-page`)).toThrow();
      expect(statSync(join(image.root, 'data', 'latchgate.db')).uid).toBe(isRoot() ? 1000 : process.getuid?.());
      gateway.kill('SIGTERM');
      expect(await gateway.exited).toEqual({ code: 0, signal: null });
    } finally {
      await gateway.stop();
    }
  });
});

function build(stage: Stage, root: string, built: ReadonlyMap<string, Built>): Built {
  const bin = join(root, 'usr', 'local', 'bin');
  mkdirSync(bin, { recursive: true });
  copyFileSync(node, join(bin, 'node'));
  let workdir = root;
  let user: string | undefined;
  const env: Record<string, string> = {};
  for (const step of stage.steps) {
    if (step.name === 'WORKDIR') {
      workdir = inside(root, workdir, step.text);
      mkdirSync(workdir, { recursive: true });
    } else if (step.name === 'ENV') Object.assign(env, Object.fromEntries(parseEnv(step)));
    else if (step.name === 'USER') user = step.text;
    else if (step.name === 'COPY') {
      const { from, sources, to } = parseCopy(step);
      const origin = from === undefined ? project : built.get(from)?.root;
      if (origin === undefined) throw new Error(`line ${step.line}: there is no stage ${from}`);
      for (const source of sources) copy(join(origin, source), inside(root, workdir, to), to.endsWith('/'));
    } else if (step.name === 'RUN') runStep(step.text, { root, workdir, env, user });
  }
  return { root, workdir, env, user };
}

/** As Docker does: the content of a folder, or the file under its own name when the destination is a folder. */
function copy(source: string, destination: string, isFolder: boolean): void {
  const target = statSync(source).isDirectory() || !isFolder ? destination : join(destination, basename(source));
  cpSync(source, target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => basename(path) !== '__pycache__',
  });
}

function inside(root: string, workdir: string, path: string): string {
  return path.startsWith('/') ? join(root, path) : resolve(workdir, path);
}

/** `/data` of a command line is the `/data` of this stage. */
function mapped(root: string, text: string): string {
  return text.replace(/(^|\s)\/(?=\w)/g, `$1${root}/`);
}

function runStep(text: string, { root, workdir, env }: Built): void {
  // Only root may give files to another account.
  const command = isRoot() ? text : text.replace(/ -o \d+ -g \d+/, '');
  execFileSync('sh', ['-c', mapped(root, command)], {
    cwd: workdir,
    env: { ...outerEnv(root), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: STEP_LIMIT_MS,
  });
}

function entrypoint(): readonly string[] {
  return execForm(textOf('ENTRYPOINT')) ?? [];
}

function asUser(command: readonly string[]): readonly string[] {
  const [uid, gid] = (image.user ?? '').split(':');
  return isRoot() ? ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--', ...command] : command;
}

/** Runs a command of the image to its end and gives its standard output. Throws when it fails. */
function inImage(command: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const [file = '', ...args] = asUser(command.map((word) => mapped(image.root, word)));
  return execFileSync(file, args, {
    cwd: image.workdir,
    env: { ...outerEnv(image.root), ...image.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
}

function serve(): Child {
  const config = join(image.root, 'etc', 'latchgate', 'latchgate.yaml');
  mkdirSync(join(config, '..'), { recursive: true });
  writeFileSync(config, configText(image.root));
  const command = execForm(textOf('CMD')) ?? [];
  return startChild('image', asUser([...entrypoint(), ...command].map((word) => mapped(image.root, word))), {
    cwd: image.workdir,
    env: { ...outerEnv(image.root), ...image.env },
  });
}

/** Neither the provider nor the backend answers: that keeps nobody from starting. */
function configText(root: string): string {
  return [
    'version: 1',
    'public_url: http://127.0.0.1:4180',
    'listen: 127.0.0.1:0',
    'admin_listen: 127.0.0.1:0',
    `state: { database: "sqlite:${root}/data/latchgate.db" }`,
    'session: { secrets: [0123456789abcdef0123456789abcdef] }',
    'login: { staff: { issuer: "http://127.0.0.1:9", client_id: latchgate } }',
    'targets: { gooddata: { type: gooddata, url: "http://127.0.0.1:9", token: t } }',
    'default: { grant: { gooddata: {} } }',
    'routes: [{ path: /, to: gooddata }]',
    '',
  ].join('\n');
}

async function readyAt(gateway: Child): Promise<string> {
  let admin: string | undefined;
  await waitUntil(gateway, 30_000, () => {
    const line = gateway.log.find((text) => text.includes('"message":"ready"'));
    admin = line === undefined ? undefined : (JSON.parse(line) as { admin: string }).admin.replace(/\/$/, '');
    return admin !== undefined;
  });
  return admin ?? '';
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Of this process, without what npm and jest put there. */
function outerEnv(root: string): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(npm_(package|lifecycle)|NODE_|JEST_)/i.test(entry[0]),
  );
  const path = (process.env['PATH'] ?? '').split(':').filter((part) => !part.includes('node_modules'));
  return { ...Object.fromEntries(kept), PATH: [join(root, 'usr', 'local', 'bin'), ...path].join(':') };
}
