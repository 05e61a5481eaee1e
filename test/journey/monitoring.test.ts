import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMetrics } from '../../src/ops/metrics.ts';
import { alertQueries, asked, dashboardQueries, labelsOf } from '../monitoring.ts';
import { refusalOn } from './browser.ts';
import { GOODDATA, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { SCIM_TOKEN, scimOf } from './scim-client.ts';

// What the alert rules and the dashboard ask for is what a gateway shows that has done a bit of everything.
let journey: Journey;
let shown = '';

const scrape = async (): Promise<string> => (await fetch(`${journey.admin()}/metrics`)).text();

beforeAll(async () => {
  const rules = `${GOODDATA['rules']}
  suspended:
    when: { groups: suspended }
    deny: Your access is suspended.`;
  journey = await startJourney({
    people: [person('ann', { groups: ['team-a'] }), person('sue', { groups: ['suspended'] })],
    sections: {
      ...GOODDATA,
      rules,
      audit: JSON.stringify({
        checkpoint: { every: '0s' },
        deliver: { nobody: { type: 'syslog', url: 'tcp://127.0.0.1:9' } },
      }),
      scim: JSON.stringify({ clients: { okta: { tokens: [SCIM_TOKEN] } } }),
      sources: '{ hr: { type: file, path: people.csv } }',
      sync: '{ hr-to-gooddata: { from: hr, to: gooddata, every: 1h, jitter: 0s, do: apply } }',
    },
    start: false,
  });
  writeFileSync(join(journey.folder, 'people.csv'), 'email,name,role\nbob@acme.test,Bob Smith,team-b\n');
  await journey.start();
  expect((await journey.logIn('ann')).status).toBe(200);
  refusalOn(await journey.logIn('sue'));
  expect((await scimOf(journey).call('GET', '/Users')).status).toBe(200);
  shown = await until(
    'what is measured now and then',
    async () => {
      const text = await scrape();
      const there = labelsOf(text);
      const late = ['check_ok', 'audit_ok', 'audit_checkpoint_timestamp_seconds', 'sync_run_seconds_count'];
      return late.every((name) => there.has(`latchgate_${name}`)) ? text : undefined;
    },
    30_000,
  );
}, 60_000);
afterAll(() => journey.close());

/** Nothing of the kind happens here: their labels are taken from the metrics themselves. */
async function others(): Promise<string> {
  const metrics = createMetrics();
  metrics.certificate('tls.crt', 1);
  metrics.sessionCheck('acme', 'renewed', 'ok');
  metrics.backchannelLogout('acme', 'ok');
  metrics.httpRetry('targets');
  return (await metrics.render()).body;
}

const PROMETHEUS = ['instance', 'job'];

it.each([...dashboardQueries(), ...alertQueries()].map((query) => [query.place, query] as const))(
  '%s asks for what is there',
  async (_, query) => {
    const { names, labels } = asked(query);
    const series = labelsOf(shown);
    const more = labelsOf(await others());
    expect(names.length).toBeGreaterThan(query.expr.startsWith('up{') ? -1 : 0);
    const found = names.map((name) => {
      const own = series.get(name) ?? more.get(name);
      return { name, isThere: own !== undefined && shown.includes(`\n# TYPE ${familyOf(name)} `), labels: own };
    });
    expect(found.filter(({ isThere }) => !isThere)).toEqual([]);
    const known = [...PROMETHEUS, ...found.flatMap((one) => [...(one.labels ?? [])])];
    expect(labels.filter((label) => !known.includes(label))).toEqual([]);
  },
);

function familyOf(name: string): string {
  const family = name.replace(/_(bucket|sum|count)$/, '');
  return shown.includes(`\n# TYPE ${family} histogram`) ? family : name;
}

it('a legend names no label that its query has lost', () => {
  for (const { legend, expr, place } of dashboardQueries()) {
    const [, by = ''] = /\bby \(([^)]*)\)/.exec(expr) ?? [];
    const lost = [...legend.matchAll(/\{\{(\w+)\}\}/g)].filter(([, label = '']) => !by.split(', ').includes(label));
    expect({ place, lost: lost.map(([label]) => label) }).toEqual({ place, lost: [] });
  }
});

it('labels hold codes and names of the config, nothing of a person', () => {
  expect(shown).not.toMatch(/\bann\b|\bsue\b|\bbob\b|acme\.test|Smith|team-/);
});
