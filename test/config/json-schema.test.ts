import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { configText } from './fixture.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'config');
const validate = new Ajv2020({ strict: true, strictTypes: false, allErrors: true, validateSchema: true }).compile(
  configJsonSchema() as object,
);

/** Paths of what the schema does not take. */
function refused(text: string): readonly string[] {
  return validate(parse(text)) ? [] : (validate.errors ?? []).map((error) => error.instancePath);
}

it.each(['reference', 'demo', 'superset', 'gooddata', 'sql-to-auth0', 'auth0-to-gooddata'])(
  'takes config/%s.yaml',
  (name) => {
    expect(refused(readFileSync(join(FOLDER, `${name}.yaml`), 'utf8'))).toEqual([]);
  },
);

it('asks of a file that somebody logs in by for what people need', () => {
  expect(refused(configText())).toEqual([]);
  for (const section of ['public_url', 'session', 'login', 'routes']) {
    expect(refused(configText({ [section]: '' }))).toContain('');
  }
});

it('takes ${…} where a number, a word or a certain form is wanted', () => {
  const text = configText({
    listen: 'listen: "0.0.0.0:${PORT}"',
    log: 'log: { level: "${LEVEL}", access: "${ACCESS:-false}" }',
    session: 'session: { secrets: "${file:/run/secrets/session}", idle: "${IDLE}" }',
    groups: 'groups: { max: "${MAX}" }',
    identity: 'identity: { match: ["${MATCH}", link] }',
  });
  expect(refused(text)).toEqual([]);
});

it('takes numbers, yes and no, and lists as texts', () => {
  const text = configText({
    groups: 'groups: { max: "5", allow: "a, b" }',
    log: 'log: { access: "true" }',
    version: 'version: "1"',
  });
  expect(refused(text)).toEqual([]);
});

it.each([
  ['log: { level: loud }', '/log/level'],
  ['log: { acess: true }', '/log'],
  ['session: { secrets: [], idle: 1 hour }', '/session/idle'],
  ['groups: { max: many }', '/groups/max'],
  ['targets: { s: { type: oracle, url: "https://x" } }', '/targets/s'],
  ['targets: { s: { type: superset, url: "https://x", missing: { roles: maybe } } }', '/targets/s/missing/roles'],
  ['routes: []', '/routes'],
  ['rules: { r: { when: { not: { groups: 1 } }, deny: No } }', '/rules/r/when/not/groups'],
  ['scim: {}', '/scim'],
])('refuses %s', (section, path) => {
  const name = section.slice(0, section.indexOf(':'));
  expect(refused(configText({ [name]: section }))).toContain(path);
});
