import { compileMapping } from '../../src/mapping/mapping.ts';
import { renderTrace, renderTraceText } from '../../src/mapping/render.ts';
import { assertionOf, configOf } from './config-of.ts';

const mapping = compileMapping(
  configOf({
    identity: { require: [] },
    origins: { staff: { claims: { title: 'title' } } },
    rules: { all: { when: { title: '*' }, grant: { superset: { roles: ['Alpha'] } } } },
  }),
);
const decision = mapping.map({
  person: 'p',
  assertions: [assertionOf({ email: 'ann@example.com', title: 'T\u202e\u00a0\ue000\u2028\u00e9 Анна', groups: [] })],
  current: 'staff',
});

it('shows by number what cannot be seen or turns the line round, and leaves letters of people alone', () => {
  expect(renderTraceText(decision)).toContain('title               "T\\u{202e}\\u{a0}\\u{e000}\\u{2028}é Анна"');
});

it('has the same text with colours as without', () => {
  const colored = renderTraceText(decision, { color: true });
  expect(colored).toContain('\u001b[');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes of the terminal are what is looked for
  expect(colored.replace(/\u001b\[\d+m/g, '')).toBe(renderTraceText(decision));
});

it('a recorded trace is shown without the profile', () => {
  const text = renderTrace(decision.trace);
  expect(text).toContain('fits   all');
  expect(text).not.toContain('ann@example.com');
});
