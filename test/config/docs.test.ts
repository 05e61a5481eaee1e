import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { documentedKeys, GENERATED_PAGES } from '../../src/config/docs.ts';
import { ERRORS } from '../../src/model/errors.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const keys = documentedKeys();

it.each(Object.entries(GENERATED_PAGES))('%s is as `npm run docs` makes it', (file, make) => {
  expect(readFileSync(join(PROJECT, file), 'utf8')).toBe(make());
});

it('every key has a meaning, as a sentence', () => {
  expect(keys.filter(({ meaning }) => !/\S.*\.$/.test(meaning)).map(({ path }) => path)).toEqual([]);
});

it('keys have types, and defaults where they have any', () => {
  const key = (path: string) =>
    keys.filter((one) => one.path === path).map(({ type, default: shown }) => [type, shown]);
  expect(key('session.idle')).toEqual([['duration', '1h']]);
  expect(key('session.secrets')).toEqual([['list of texts', undefined]]);
  expect(key('login.NAME.claims.groups')[0]).toEqual(['text or list of texts', '[urn.gooddata.user_groups, groups]']);
  expect(key('groups.allow')).toEqual([['list of texts', '["*"]']]);
  expect(key('rules.NAME.when.not')).toEqual([['map', undefined]]);
  expect(key('routes[].public')).toEqual([['`true` or `false`', 'false']]);
  expect(key('targets.NAME.sign_in')).toEqual([
    ['`assertion`, `header`', 'assertion'],
    ['`jwt`, `none`', 'jwt'],
  ]);
  expect(key('targets.NAME.timeout')).toEqual([['duration', '10s']]);
});

it('every error code is in the page of errors', () => {
  const page = GENERATED_PAGES['docs/errors.md']?.() ?? '';
  expect(Object.keys(ERRORS).filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});
