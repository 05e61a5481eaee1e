import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checked } from './docs-config.ts';
import { codeBlocks, page, projectFolder } from './markdown.ts';

const readme = page('README.md');
const configs = codeBlocks(readme, 'yaml');

describe('the configs of the README', () => {
  it('are one for Superset, one for GoodData and a sync', () => {
    const types = configs.map((text) => Object.values(checked(text).config?.targets ?? {}).map(({ type }) => type));
    expect(types).toEqual([['superset'], ['gooddata'], ['gooddata']]);
  });

  it.each(configs.map((text, at) => [at + 1, text] as const))(
    'take ten lines and start as they stand: %i',
    (_, text) => {
      const { complaints, warnings } = checked(text);
      expect([...complaints, ...warnings]).toEqual([]);
      expect(text.trim().split('\n').length).toBeLessThanOrEqual(10);
    },
  );
});

describe('the commands of the README', () => {
  const { scripts } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };

  it('are scripts of package.json', () => {
    const named = [...readme.text.matchAll(/\bnpm run ([\w:]+)/g)].map(([, name]) => name ?? '');
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
