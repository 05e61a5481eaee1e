import fc from 'fast-check';
import { type Filter as OracleFilter, parse } from 'scim2-parse-filter';
import { ScimError } from '../../../src/scim/protocol/error.ts';
import type { Filter } from '../../../src/scim/protocol/filter.ts';
import { parseFilter } from '../../../src/scim/protocol/parse-filter.ts';
import { userType } from '../../../src/scim/protocol/resource-types.ts';

/*
 * The same text read by us and by scim2-parse-filter, which knows the grammar and no schema. It takes backslashes but
 * those before quotes as they stand, so that texts have no others.
 */

const TEXTS = ['title', 'userName', 'name.givenName', 'emails.value', 'nickName'];
const blanks = fc.constantFrom(' ', ' ', '  ');
const anyCase = (word: string) => fc.mixedCase(fc.constant(word));
const quoted = fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text.replaceAll('\\', '/')));
const comparison = (names: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom(...names).chain(anyCase),
      blanks,
      fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le').chain(anyCase),
      blanks,
      quoted,
    )
    .map((parts) => parts.join(''));
const presence = (names: readonly string[]) =>
  fc.tuple(fc.constantFrom(...names), blanks, anyCase('pr')).map((parts) => parts.join(''));
const truth = fc
  .tuple(fc.constantFrom('active eq ', 'active ne '), fc.constantFrom('true', 'false'))
  .map((parts) => parts.join(''));

interface Level {
  readonly whole: string;
}
const { whole: filters } = fc.letrec<Level>((tie) => ({
  whole: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    comparison(TEXTS),
    presence(TEXTS),
    truth,
    fc.oneof(comparison(['type', 'value']), presence(['type', 'display'])).map((inner) => `emails[${inner}]`),
    fc
      .tuple(comparison(['type', 'value']), blanks, fc.constantFrom('and', 'or'), blanks, presence(['display']))
      .map((parts) => `emails[${parts.join('')}]`),
    fc
      .tuple(tie('whole'), blanks, fc.constantFrom('and', 'or').chain(anyCase), blanks, tie('whole'))
      .map((parts) => parts.join('')),
    tie('whole').map((inner) => `(${inner})`),
    fc
      .tuple(anyCase('not'), fc.constantFrom('', ' '), tie('whole'))
      .map(([not, blank, inner]) => `${not}${blank}(${inner})`),
  ),
}));

function said(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return `(${filter.kind} ${filter.operands.map(said).join(' ')})`;
    case 'not':
      return `(not ${said(filter.operand)})`;
    case 'present':
      return `(pr ${filter.path.name.toLowerCase()})`;
    case 'compare':
      return `(${filter.operator} ${filter.path.name.toLowerCase()} ${JSON.stringify(filter.value)})`;
    case 'values':
      return `([] ${filter.path.name.toLowerCase()} ${said(filter.filter)})`;
    case 'constant':
      return String(filter.value);
  }
}

function saidByOracle(filter: OracleFilter): string {
  switch (filter.op) {
    case 'and':
    case 'or':
      return `(${filter.op} ${filter.filters.map(saidByOracle).join(' ')})`;
    case 'not':
      return `(not ${saidByOracle(filter.filter)})`;
    case 'pr':
      return `(pr ${filter.attrPath.toLowerCase()})`;
    case '[]':
      return `([] ${filter.attrPath.toLowerCase()} ${saidByOracle(filter.valFilter)})`;
    default:
      return `(${filter.op} ${filter.attrPath.toLowerCase()} ${JSON.stringify(filter.compValue)})`;
  }
}

function ours(text: string): string | undefined {
  try {
    return said(parseFilter(userType, text));
  } catch (thrown) {
    if (thrown instanceof ScimError) return undefined;
    throw thrown;
  }
}

function oracle(text: string): string | undefined {
  try {
    return saidByOracle(parse(text));
  } catch {
    return undefined;
  }
}

describe('the parser of filters, beside another', () => {
  it('reads every filter as that does', () => {
    fc.assert(
      fc.property(filters, (text) => expect(ours(text)).toBe(oracle(text))),
      { numRuns: 2_000 },
    );
  });

  it('takes no text that it refuses', () => {
    const pieces = fc.constantFrom(
      '(',
      ')',
      '[',
      ']',
      '"',
      ' ',
      'and',
      'or',
      'not',
      'eq',
      'pr',
      'title',
      '.',
      '5',
      '-',
    );
    const broken = fc.tuple(filters, fc.nat(), fc.nat(2), pieces).map(([text, at, cut, piece]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + piece + text.slice(place + cut);
    });
    fc.assert(
      fc.property(broken, (text) => {
        fc.pre(!/\\(?!")/.test(text));
        const read = ours(text);
        if (read !== undefined) expect(read).toBe(oracle(text));
      }),
      { numRuns: 5_000 },
    );
  });
});
