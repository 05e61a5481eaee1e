import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  execForm,
  healthCommand,
  parseCopy,
  parseDockerfile,
  parseEnv,
  type Stage,
  type Step,
} from './dockerfile-steps.ts';

const root = join(import.meta.dirname, '..');
const stages = parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
const final = stages.at(-1) as Stage;
const all = stages.flatMap((stage) => stage.steps);
const named = (name: string, steps: readonly Step[] = final.steps): readonly Step[] =>
  steps.filter((step) => step.name === name);
const last = (name: string): string => named(name).at(-1)?.text ?? '';

describe('the image', () => {
  it('is made of Node 24 slim in every stage', () => {
    expect(stages.length).toBeGreaterThan(1);
    for (const { image } of stages) expect(image).toMatch(/^node:24(\.\d+)*-[a-z]+-slim$/);
  });

  it('runs as an account that Kubernetes can see is not root', () => {
    expect(last('USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('ends as that account: nothing after USER turns back or writes', () => {
    const after = final.steps.slice(final.steps.findIndex((step) => step.name === 'USER') + 1);
    expect(after.map((step) => step.name)).not.toContain('USER');
    expect(after.map((step) => step.name)).not.toContain('RUN');
  });

  it('has a health check that needs nothing but Node, and asks the address that can be changed', () => {
    const command = execForm(healthCommand(last('HEALTHCHECK')));
    expect(command?.[0]).toBe('node');
    const address = named('ENV')
      .flatMap(parseEnv)
      .find(([name]) => name === 'LATCHGATE_HEALTH_URL');
    expect(address?.[1]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/healthz$/);
    expect(command?.join(' ')).toContain('LATCHGATE_HEALTH_URL');
  });

  it('starts Node itself, so that signals arrive', () => {
    expect(execForm(last('ENTRYPOINT'))).toEqual(['node', '/app/dist/main.js']);
    expect(execForm(last('CMD'))).toEqual(['serve', '--config', '/etc/latchgate/latchgate.yaml']);
  });

  it('keeps its data on a volume and publishes the public listener alone', () => {
    expect(last('VOLUME')).toBe('/data');
    expect(named('EXPOSE').map((step) => step.text)).toEqual(['4180']);
  });

  it('has no development dependencies', () => {
    const modules = named('COPY')
      .map(parseCopy)
      .filter(({ sources }) => sources.some((path) => path.endsWith('node_modules')));
    expect(modules).toHaveLength(1);
    const stage = stages.find((one) => one.name === modules[0]?.from);
    const installs = named('RUN', stage?.steps ?? []).map((step) => step.text);
    expect(installs).toEqual(['npm install --omit=dev']);
    expect(named('ENV').flatMap(parseEnv)).toContainEqual(['NODE_ENV', 'production']);
  });

  it('never installs with npm ci', () => {
    expect(named('RUN', all).filter((step) => /\bnpm (ci|clean-install)\b/.test(step.text))).toEqual([]);
  });
});

describe('what goes into the image', () => {
  const copies = all.filter((step) => step.name === 'COPY').map(parseCopy);

  it('is there: every file of ours that a step copies', () => {
    const ours = copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources);
    expect(ours.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('comes from stages that exist', () => {
    const names = stages.map((stage) => stage.name);
    for (const { from } of copies) if (from !== undefined) expect(names).toContain(from);
  });

  it('is let through by .dockerignore, which lets nothing else through', () => {
    const lines = readFileSync(join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines[0]).toBe('*');
    const allowed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const wanted = copies.filter(({ from }) => from === undefined).flatMap(({ sources }) => sources);
    expect([...new Set(wanted)].sort()).toEqual([...allowed].sort());
    expect(lines).toContain('**/*.pem');
    expect(lines).toContain('**/.env*');
  });

  it('holds no secret: no ARG, no variable that is named like one', () => {
    expect(named('ARG', all)).toEqual([]);
    const names = named('ENV', all)
      .flatMap(parseEnv)
      .map(([name]) => name);
    expect(names.filter((name) => /SECRET|TOKEN|PASSW|KEY|CREDENTIAL/.test(name))).toEqual([]);
  });
});
