import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checked } from '../docs-config.ts';
import { codes, configText, examine } from './fixture.ts';

const workers = (value: string, more: Readonly<Record<string, string>> = {}) =>
  examine(configText({ workers: `workers: ${value}`, ...more }));

describe('workers', () => {
  it('are a number or auto; one by default', () => {
    expect(examine(configText()).config?.workers).toBe(1);
    expect(workers('4').config?.workers).toBe(4);
    expect(workers('"4"').config?.workers).toBe(4);
    expect(workers('auto').config?.workers).toBe('auto');
    for (const wrong of ['0', '-1', '1.5', '257', 'many', '[2]']) {
      const examined = workers(wrong);
      expect([wrong, examined.config]).toEqual([wrong, undefined]);
      expect(examined.complaints[0]?.message).toContain('must be a whole number from 1 to 256, or auto');
    }
  });

  it('cannot share a database that is in memory', () => {
    const state = 'state: { database: "sqlite::memory:" }';
    expect(codes(workers('2', { state }))).toEqual(['state_not_shared workers']);
    expect(codes(workers('auto', { state }))).toEqual(['state_not_shared workers']);
    expect(codes(workers('1', { state }))).toEqual([]);
    expect(codes(workers('2', { state: 'state: { database: "sqlite:./x.db" }' }))).toEqual([]);
  });

  it('get the whole config as the primary has read it', () => {
    const text = readFileSync(join(import.meta.dirname, '..', '..', 'config', 'reference.yaml'), 'utf8');
    const { config } = checked(text);
    expect(config).toBeDefined();
    expect(structuredClone(config)).toEqual(config);
  });
});
