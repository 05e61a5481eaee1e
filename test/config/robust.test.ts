import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { formatComplaint } from '../../src/config/complaint.ts';
import { editDistance, nearest } from '../../src/config/nearest.ts';
import { configText, examine, SECRET } from './fixture.ts';

const REFERENCE = readFileSync(join(import.meta.dirname, '..', '..', 'config', 'reference.yaml'), 'utf8');

/** Whatever it is given, reading answers with a config or with complaints that have a place in the text. */
function answers(text: string): void {
  const { config, complaints } = examine(text, { env: { ENTRA_TENANT: SECRET } });
  expect((config === undefined) === complaints.length > 0).toBe(true);
  const lines = text.split('\n').length;
  for (const complaint of complaints) {
    expect(complaint.line).toBeLessThanOrEqual(lines);
    expect(formatComplaint(complaint)).toMatch(/^[^\n]+: [a-z_]+: [^\n]+$/);
    expect(formatComplaint(complaint)).not.toContain(SECRET);
  }
}

describe('reading a config', () => {
  it('answers to any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), answers), { numRuns: 300 });
  });

  it('answers to any value in the place of a section', () => {
    const sections = fc.constantFrom(
      'version',
      'public_url',
      'session',
      'login',
      'rules',
      'targets',
      'routes',
      'groups',
      'default',
      'safety',
    );
    const property = fc.property(sections, fc.json({ depthSize: 'small' }), (name, value) =>
      answers(configText({ [name]: `${name}: ${value}` })),
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('answers to the reference with a piece cut out or put in', () => {
    const piece = fc.constantFrom(
      '',
      '{',
      '}',
      '[',
      '"',
      ': ',
      '- ',
      '\t',
      '\n',
      '&a ',
      '*a',
      '!x ',
      '${',
      '~(',
      '? ',
      'null',
      '#',
    );
    const property = fc.property(fc.nat(REFERENCE.length), fc.nat(12), piece, (at, length, put) =>
      answers(REFERENCE.slice(0, at) + put + REFERENCE.slice(at + length)),
    );
    fc.assert(property, { numRuns: 150 });
  });

  it('answers to a large file with many complaints', () => {
    const rules = Array.from(
      { length: 5_000 },
      (_, at) => `  r${at}: { when: { groups: g${at} }, grant: { nowhere: { roles: [x] } } }`,
    );
    const { complaints } = examine(configText({ rules: `rules:\n${rules.join('\n')}` }));
    expect(complaints.length).toBe(5_000);
    expect(complaints.at(-1)?.line).toBe(5_005);
  });
});

describe('the nearest key', () => {
  it.each([
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['abc', 'ab', 1],
    ['abc', 'xbc', 1],
    ['ca', 'abc', 3],
    ['kitten', 'sitting', 3],
  ])('%s is %s with %i changes', (from, to, changes) => {
    expect(editDistance(from, to)).toBe(changes);
    expect(editDistance(to, from)).toBe(changes);
  });

  it('is the one that was most likely meant, or none', () => {
    const keys = ['issuer', 'client_id', 'client_secret', 'scopes'];
    expect(nearest('isuer', keys)).toBe('issuer');
    expect(nearest('clientId', keys)).toBe('client_id');
    expect(nearest('Client-Secret', keys)).toBe('client_secret');
    expect(nearest('colour', keys)).toBeUndefined();
    expect(nearest('x'.repeat(100_000), keys)).toBeUndefined();
  });
});
