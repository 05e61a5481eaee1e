import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitoringFolder } from './monitoring.ts';
import { run } from './services/child.ts';
import { findPromtool } from './services/promtool.ts';

// Prometheus's own tool says whether it takes the rules, and which alerts come of which values.
const promtool = findPromtool();
const folder = join(monitoringFolder, 'prometheus');
const withPromtool = promtool === undefined ? describe.skip : describe;
const check = (cwd: string, ...args: readonly string[]) =>
  run('promtool', [promtool as string, ...args], { cwd, timeoutMs: 120_000 });

withPromtool(`promtool${promtool === undefined ? ' (skipped: Debian’s package prometheus has it)' : ''}`, () => {
  it('takes the alert rules', async () => {
    await check(folder, 'check', 'rules', 'alerts.yaml');
  });

  it('finds that each alert comes when it should, and only then', async () => {
    await check(folder, 'test', 'rules', 'alerts.test.yaml');
  });

  it('would find a threshold that was moved', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'latchgate-rules-'));
    try {
      copyFileSync(join(folder, 'alerts.test.yaml'), join(copy, 'alerts.test.yaml'));
      const rules = readFileSync(join(folder, 'alerts.yaml'), 'utf8');
      writeFileSync(
        join(copy, 'alerts.yaml'),
        rules.replace('min(latchgate_audit_ok) == 0', 'min(latchgate_audit_ok) == 2'),
      );
      await expect(check(copy, 'test', 'rules', 'alerts.test.yaml')).rejects.toThrow();
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});

it('every alert is tested', () => {
  const tests = readFileSync(join(folder, 'alerts.test.yaml'), 'utf8');
  const rules = readFileSync(join(folder, 'alerts.yaml'), 'utf8');
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name ?? '');
  expect(alerts.length).toBeGreaterThan(10);
  expect(alerts.filter((alert) => !tests.includes(`alertname="${alert}"`))).toEqual([]);
});
