import type { Gateway } from './gateway.ts';

/** The gauges and counters of the gateway that have no labels, by name. A scrape starts the event-loop figures anew. */
export async function scrape({ name, adminUrl }: Gateway): Promise<(metric: string) => number> {
  const response = await fetch(`${adminUrl}/metrics`);
  const text = await response.text();
  return (metric) => {
    const value = new RegExp(`^${metric} (\\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`${name}: no ${metric} in its metrics`);
    return Number(value);
  };
}
