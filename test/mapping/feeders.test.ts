import { loginSchema } from '../../src/login/schema.ts';
import { mappingConfigOf } from '../../src/mapping/config.ts';
import { defaultSchema, groupsSchema, identitySchema, rulesSchema } from '../../src/mapping/schema.ts';
import { sourcesSchema } from '../../src/sources/schema.ts';

const login = loginSchema.parse({ staff: { issuer: 'https://id.example', client_id: 'x' } });
const source = { type: 'file', path: 'people.csv' };

function keptBy(sources: Record<string, unknown>, sync: Record<string, { from: string; to: string }>, logins = login) {
  const { targets } = mappingConfigOf({
    login: logins,
    sources: sourcesSchema.parse(sources),
    sync,
    identity: identitySchema.parse({}),
    groups: groupsSchema.parse({}),
    rules: rulesSchema.parse({}),
    default: defaultSchema.parse({}),
    targets: { bi: { type: 'superset' }, fixed: { type: 'superset', external_ids: 'other' } },
    safety: { privileged: [] },
  });
  return [targets['bi']?.external_ids, targets['fixed']?.external_ids];
}

it('keeps the ids of the one origin that feeds a target, of several none', () => {
  const hr = { hr: source };
  expect(keptBy({}, {})).toEqual(['staff', 'other']);
  expect(keptBy(hr, {})).toEqual(['staff', 'other']);
  expect(keptBy(hr, { a: { from: 'hr', to: 'elsewhere' } })).toEqual(['staff', 'other']);
  expect(keptBy(hr, { a: { from: 'hr', to: 'bi' } })).toEqual([undefined, 'other']);
  expect(keptBy({ hr: { ...source, login: 'staff' } }, { a: { from: 'hr', to: 'bi' } })).toEqual(['staff', 'other']);
  expect(keptBy(hr, { a: { from: 'hr', to: 'bi' } }, {})).toEqual(['hr', 'other']);
});
