import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { projectFolder } from './markdown.ts';

/** Where the files for Prometheus and Grafana are. */
export const monitoringFolder = join(projectFolder, 'deploy');

/** A query on metrics of ours, and where it stands. */
export interface Query {
  readonly place: string;
  readonly expr: string;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** Of the dashboard; what a legend shows stands in the query too. */
export function dashboardQueries(): readonly (Query & { readonly legend: string })[] {
  const file = readFileSync(join(monitoringFolder, 'grafana', 'latchgate.json'), 'utf8');
  const { panels } = JSON.parse(file) as { readonly panels: readonly Panel[] };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ place: title, expr, legend: legendFormat })),
  );
}

/** Of the alert rules. */
export function alertQueries(): readonly Query[] {
  const file = readFileSync(join(monitoringFolder, 'prometheus', 'alerts.yaml'), 'utf8');
  const { groups } = parse(file) as {
    readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
  };
  return groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ place: alert, expr })));
}

/** What one query asks for: series by name, and the labels that it looks at. */
export function asked({ expr }: Query): { readonly names: readonly string[]; readonly labels: readonly string[] } {
  const selectors = [...expr.matchAll(/(latchgate_\w+)(?:\{([^}]*)\})?/g)];
  const matched = selectors.flatMap(([, , matchers = '']) => [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)]);
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(','));
  const labels = [...matched.map(([, label = '']) => label), ...grouped.map((label) => label.trim())];
  return { names: selectors.map(([, name = '']) => name), labels };
}

/** The labels of each series in a text of the exposition format. */
export function labelsOf(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(latchgate_\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = found.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label);
    found.set(name, known);
  }
  return found;
}
