import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { checked, FOLDER, inputOf, inputs, made } from './examples.ts';

/*
 * UPDATE_GOLDEN=1 writes what is made anew: look at the difference before it is committed.
 */
/** Of all inputs: none of these may be in what is made of any. */
const SECRETS = inputs.flatMap((file) =>
  [...inputOf(file).matchAll(/[\w-]*(?:Passw0rd|AnybodyShouldSee|NobodyMaySee|QmFzZTY0)[\w=]*/g)].map(([text]) => text),
);

/** A line with a value of an option, as far as a line tells. */
const OPTION: Readonly<Record<string, RegExp>> = {
  '.py': /^\s*['"]?[A-Za-z]\w*['"]?\s*(?:=|:\s)\s*(?!dict\()[^\s{[(#]/,
  '.cfg': /^\w+ = /,
  '.yaml': /^\s*(?:- )?\w+: \S/,
  '.txt': /--\w|OAUTH2_PROXY_\w+/,
  '.ini': /^\w+\s*=\s*\S/,
};

describe.each(inputs)('%s', (file) => {
  it('becomes what it became', () => {
    const path = join(FOLDER, `${file}.made.yaml`);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, made(file));
    expect(made(file)).toBe(existsSync(path) ? readFileSync(path, 'utf8') : 'run once with UPDATE_GOLDEN=1');
  });

  it('becomes a configuration without complaints', () => {
    expect(checked(made(file)).complaints).toEqual([]);
  });

  it('takes no secret with it', () => {
    expect(SECRETS.length).toBeGreaterThan(3);
    expect(SECRETS.filter((secret) => made(file).includes(secret))).toEqual([]);
  });

  it('speaks of every option by its line', () => {
    const isOption = OPTION[extname(file)] ?? /./;
    const lines = inputOf(file).split('\n');
    const options = lines.flatMap((line, index) => (isOption.test(line) ? [index + 1] : []));
    expect(options.length).toBeGreaterThan(3);
    expect(options.filter((line) => !made(file).includes(`line ${line}: `))).toEqual([]);
  });
});

it('there is nothing made without its input', () => {
  const results = readdirSync(FOLDER).filter((file) => file.endsWith('.made.yaml'));
  expect(results.map((file) => file.slice(0, -'.made.yaml'.length)).sort()).toEqual([...inputs].sort());
});
