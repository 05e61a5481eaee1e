import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import type { Config } from '../src/config/schema.ts';
import { checked } from './docs-config.ts';
import { codeBlocks, page } from './markdown.ts';

const folder = join(import.meta.dirname, '..', 'deploy');
const read = (file: string) => readFileSync(join(folder, file), 'utf8');

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes' own types are another test's; here single members are looked at
type Any = any;

function documents(file: string): readonly Any[] {
  return parseAllDocuments(read(file)).map((document) => document.toJS());
}

const kinds = (file: string, kind: string) => documents(file).filter((one) => one.kind === kind);
const SECRETS = { database: 'postgres://latchgate:of a test@postgres/latchgate', redis: 'redis://redis:6379' };
const KUBERNETES = ['kubernetes/gateway.yaml', 'kubernetes/sidecar.yaml'];

function podOf(file: string): Any {
  return kinds(file, 'Deployment')[0].spec.template.spec;
}

function gatewayOf(file: string): Any {
  return podOf(file).containers.find((one: Any) => one.name === 'latchgate');
}

/** Every config of the gateway in these files, and how long whoever stops it waits. */
function configs(): readonly (readonly [string, string, number])[] {
  const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)?.[1]);
  const unit = read('systemd/latchgate.service');
  return [
    ...KUBERNETES.map((file): [string, string, number] => [
      file,
      kinds(file, 'ConfigMap')[0].data['latchgate.yaml'].replace('${POD_IP}', '10.1.2.3'),
      podOf(file).terminationGracePeriodSeconds,
    ]),
    [
      'compose/latchgate.yaml',
      read('compose/latchgate.yaml'),
      seconds(parse(read('compose/docker-compose.yaml')).services.latchgate.stop_grace_period),
    ],
    ['systemd/latchgate.yaml', read('systemd/latchgate.yaml'), Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])],
  ];
}

describe.each(configs())('%s', (_file, text, graceSeconds) => {
  const { config, complaints, warnings } = checked(text, SECRETS);

  it('starts without a complaint or warning', () => {
    expect([...complaints, ...warnings]).toEqual([]);
    expect(config).toBeDefined();
  });

  it('stops in its own time before it is killed', () => {
    const { delay, drain } = (config as Config).shutdown;
    expect(graceSeconds * 1_000).toBeGreaterThan(delay + drain + 1_000);
  });

  it('holds no secret', () => {
    for (const [, value] of text.matchAll(/(?:secret|password|token)\w*: (\S+)/g))
      expect(value).toMatch(/^\[?"\$\{file:/);
  });
});

describe.each(KUBERNETES)('%s', (file) => {
  it('runs the gateway as nobody in particular, on a root that it cannot write', () => {
    expect(podOf(file)).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(gatewayOf(file).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('asks the process alone whether it is up: a dependency that is away takes no pod out', () => {
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      expect(gatewayOf(file)[probe].httpGet).toEqual({ path: '/healthz', port: 'admin' });
    }
  });

  it('lets nobody but the ingress controller, Superset and who measures come in', () => {
    const [policy] = kinds(file, 'NetworkPolicy').filter(
      (one) => one.metadata.name === kinds(file, 'Deployment')[0].metadata.name,
    );
    expect(policy.spec.podSelector.matchLabels).toEqual(kinds(file, 'Deployment')[0].spec.selector.matchLabels);
    expect(policy.spec.ingress.map((rule: Any) => rule.ports)).toEqual([[{ port: 'http' }], [{ port: 'admin' }]]);
    for (const rule of policy.spec.ingress) expect(rule.from.length).toBeGreaterThan(0);
  });

  it('serves the public listener alone', () => {
    expect(kinds(file, 'Service').flatMap(({ spec }) => (spec.selector === undefined ? [] : spec.ports))).toEqual([
      { name: 'http', port: 80, targetPort: 'http' },
    ]);
  });
});

describe('kubernetes/gateway.yaml', () => {
  const file = KUBERNETES[0] as string;

  it('keeps two instances, and takes none away before another is ready', () => {
    const [{ spec }] = kinds(file, 'Deployment') as [Any];
    expect(spec.replicas).toBeGreaterThanOrEqual(2);
    expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    expect(kinds(file, 'PodDisruptionBudget')[0].spec).toMatchObject({
      minAvailable: 1,
      selector: spec.selector,
    });
  });

  it('has its state where every instance finds it', () => {
    const { state, session } = parse(kinds(file, 'ConfigMap')[0].data['latchgate.yaml']);
    expect([state.database, session.store]).toEqual([
      '${file:/run/secrets/latchgate/database}',
      '${file:/run/secrets/latchgate/redis}',
    ]);
  });

  it('lets nobody ask through the Ingress what web servers ask', () => {
    const [{ spec }] = kinds(file, 'Ingress') as [Any];
    for (const { http } of spec.rules) {
      const [asked] = http.paths.filter((one: Any) => one.path === '/.latchgate/auth');
      expect(asked.pathType).toBe('Prefix');
      const [service] = kinds(file, 'Service').filter((one) => one.metadata.name === asked.backend.service.name);
      expect(service.spec.selector).toBeUndefined();
      expect(service.spec.externalName).toBeUndefined();
    }
  });

  it('closes Superset to everybody but the gateway', () => {
    const [policy] = kinds(file, 'NetworkPolicy').filter((one) => one.metadata.name === 'superset');
    expect(policy.spec.ingress).toEqual([
      { from: [{ podSelector: kinds(file, 'Deployment')[0].spec.selector }], ports: [{ port: 8088 }] },
    ]);
  });
});

describe('kubernetes/sidecar.yaml', () => {
  const file = KUBERNETES[1] as string;

  it('is one at a time, with its state on a volume', () => {
    const [{ spec }] = kinds(file, 'Deployment') as [Any];
    expect([spec.replicas, spec.strategy]).toEqual([1, { type: 'Recreate' }]);
    const { name } = podOf(file).volumes.find((one: Any) => one.persistentVolumeClaim !== undefined);
    const { mountPath } = gatewayOf(file).volumeMounts.find((one: Any) => one.name === name);
    const { state } = parse(kinds(file, 'ConfigMap')[0].data['latchgate.yaml']);
    expect(state.database.startsWith(`sqlite:${mountPath}/`)).toBe(true);
  });

  it('has Superset on loopback, where the gateway asks for it', () => {
    const superset = podOf(file).containers.find((one: Any) => one.name === 'superset');
    expect(superset.env).toContainEqual({ name: 'SUPERSET_BIND_ADDRESS', value: '127.0.0.1' });
    expect(superset.ports).toBeUndefined();
    const { targets } = parse(kinds(file, 'ConfigMap')[0].data['latchgate.yaml']);
    expect(targets.superset.url).toBe('http://127.0.0.1:8088');
  });
});

describe('kubernetes/sync.yaml', () => {
  const file = 'kubernetes/sync.yaml';
  const [map] = kinds(file, 'ConfigMap');
  const [job] = kinds(file, 'CronJob');
  const pod: Any = job.spec.jobTemplate.spec.template.spec;
  const text: string = map.data['latchgate.yaml'];
  const { config, complaints, warnings } = checked(text, SECRETS);

  it('has a config without a complaint or warning, and no secret in it', () => {
    expect([...complaints, ...warnings]).toEqual([]);
    for (const [, value] of text.matchAll(/(?:secret|password|token)\w*: (\S+)/g))
      expect(value).toMatch(/^\[?"\$\{file:/);
  });

  it('applies a sync of its config, on the state of the gateway', () => {
    const [, name] = pod.containers[0].args;
    expect(Object.keys(config?.sync ?? {})).toEqual([name]);
    const gateway = parse(kinds('kubernetes/gateway.yaml', 'ConfigMap')[0].data['latchgate.yaml']);
    const own = parse(text);
    for (const section of ['state', 'session', 'login', 'groups', 'rules', 'default', 'targets'])
      expect([section, own[section]]).toEqual([section, gateway[section]]);
    expect(pod.volumes[1]).toEqual(podOf('kubernetes/gateway.yaml').volumes[1]);
  });

  it('runs as nobody in particular, on a root that it cannot write', () => {
    const gateway = podOf('kubernetes/gateway.yaml');
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toEqual(gateway.securityContext);
    expect(pod.containers[0].securityContext).toEqual(gateway.containers[0].securityContext);
  });

  it('is let in to Superset, beside the gateway', () => {
    const [policy] = kinds(file, 'NetworkPolicy');
    const { labels } = job.spec.jobTemplate.spec.template.metadata;
    const [own] = kinds('kubernetes/gateway.yaml', 'NetworkPolicy').filter((one) => one.metadata.name === 'superset');
    expect(policy.spec).toEqual({
      ...own.spec,
      ingress: [{ ...own.spec.ingress[0], from: [{ podSelector: { matchLabels: labels } }] }],
    });
  });

  it('tries again what failed, and neither what waits for a person nor a second one beside it', () => {
    expect([job.spec.concurrencyPolicy, pod.restartPolicy]).toEqual(['Forbid', 'Never']);
    const { backoffLimit, podFailurePolicy } = job.spec.jobTemplate.spec;
    expect(backoffLimit).toBeGreaterThan(0);
    expect(podFailurePolicy.rules).toEqual([
      {
        action: 'FailJob',
        onExitCodes: { containerName: pod.containers[0].name, operator: 'In', values: [2, 11, 64] },
      },
    ]);
  });
});

describe('compose/docker-compose.yaml', () => {
  const { services, networks } = parse(read('compose/docker-compose.yaml')) as Any;

  it('has one port, on loopback, and it is the gateway’s', () => {
    const ports = Object.entries(services).flatMap(([name, one]: [string, Any]) =>
      one.ports ? [[name, one.ports]] : [],
    );
    expect(ports).toEqual([['latchgate', ['127.0.0.1:4180:4180']]]);
  });

  it('has Redis and PostgreSQL in a network with the gateway alone', () => {
    expect(networks.state).toEqual({ internal: true });
    const inState = Object.keys(services).filter((name) => services[name].networks.includes('state'));
    expect(inState.sort()).toEqual(['latchgate', 'postgres', 'redis']);
  });

  it('keeps sessions over a restart of Redis, and throws none away', () => {
    expect(services.redis.command.join(' ')).toContain('--appendonly yes --maxmemory-policy noeviction');
  });

  it('makes the service account as integrations/superset describes it', () => {
    const [script = ''] = codeBlocks(page('integrations/superset/README.md'), 'sh')
      .map((block) => /python - <<'PY'\n([\s\S]*?)\nPY/.exec(block)?.[1] ?? '')
      .filter((block) => block !== '');
    expect(script).toContain('add_user');
    expect(read('compose/superset/service_account.py')).toContain(script);
  });

  it('has Superset believe the gateway that stands there', () => {
    const python = read('compose/superset/superset_config.py');
    const { config } = checked(read('compose/latchgate.yaml'), SECRETS);
    expect(python).toContain(`LATCHGATE_ISSUER = "${config?.public_url}"`);
    expect(python).toContain('LATCHGATE_JWKS = "http://latchgate:4180/');
    expect(Object.keys(config?.targets ?? {})).toEqual(['superset']);
    expect(python).toContain('LATCHGATE_AUDIENCE = "superset"');
  });
});

describe('systemd/latchgate.service', () => {
  const unit = read('systemd/latchgate.service');

  it('hands over exactly the secrets that the config reads', () => {
    const given = [...unit.matchAll(/^LoadCredential=(\w+):/gm)].map(([, name]) => name);
    const read_ = [...read('systemd/latchgate.yaml').matchAll(/\/run\/credentials\/latchgate\.service\/(\w+)/g)];
    expect(read_.map(([, name]) => name).sort()).toEqual(given.sort());
  });

  it('tells the first process alone, starts it again, and not with a config that has complaints', () => {
    for (const line of ['KillMode=mixed', 'Restart=always', 'RestartPreventExitStatus=2', 'StateDirectory=latchgate']) {
      expect(unit).toContain(`\n${line}\n`);
    }
  });
});

it('every image is of the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(folder, '..', 'package.json'), 'utf8')) as { version: string };
  const images = [...KUBERNETES, 'kubernetes/sync.yaml', 'compose/docker-compose.yaml'].flatMap((file) => [
    ...read(file).matchAll(/image: latchgate:(\S+)/g),
  ]);
  expect(images.length).toBe(4);
  for (const [, tag] of images) expect(tag).toBe(version);
});
