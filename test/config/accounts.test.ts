import { configText, examine } from './fixture.ts';

const TARGET = 'type: auth0, url: "https://acme.auth0.com", client_id: a, client_secret: b, connection: c';

/** What stands in the environment is in no array: one text. */
function read(kept: string, env: Readonly<Record<string, string>> = {}) {
  const superset = 'superset: { type: superset, url: "http://superset:8088" }';
  const targets = `targets: { ${superset}, auth0: { ${TARGET}, never_delete: ${kept} } }`;
  const { config, complaints } = examine(configText({ targets }), { env });
  const target = config?.targets['auth0'];
  const said = complaints.filter(({ path }) => path.join('.').includes('never_delete'));
  return { lines: target?.type === 'auth0' ? target.never_delete : undefined, said };
}

function touched(text: string) {
  const safety = 'safety: { never_touch: "${IGNORE}" }';
  const { config, complaints } = examine(configText({ safety }), { env: { IGNORE: text } });
  return config?.safety.never_touch ?? complaints.map(({ code }) => code);
}

describe('accounts that are left alone', () => {
  it.each([
    ['a@x.test, auth0|7'],
    ['a@x.test;auth0|7'],
    ['a@x.test auth0|7'],
    ['a@x.test\nauth0|7\r\n'],
    ['["a@x.test", "auth0|7"]'],
  ])('are read from the environment as people write lists: %j', (text) => {
    expect(read('"${KEPT}"', { KEPT: text }).lines).toEqual(['a@x.test', 'auth0|7']);
    expect(touched(text)).toEqual(['a@x.test', 'auth0|7']);
  });

  it.each([
    ['["a@x.test;b@x.test"]'],
    ['["a@x.test,b@x.test"]'],
    ['["a@x.test b@x.test"]'],
    ['["Ann <a@x.test>"]'],
    ['"<a@x.test>,Name <b@x.test>"'],
    ['"[a@x.test, b@x.test"'],
    ['"\'a@x.test\'"'],
    ['["ann"]'],
    ['["a@x.test\u200B"]'],
  ])('are refused where a line of never_delete is neither an e-mail nor an id: %s', (kept) => {
    expect(read(kept).said).toHaveLength(1);
  });

  it('may have an apostrophe, and a connection in their id', () => {
    const lines = ["o'brien@x.test", 'samlp|acme|a@x.test'];
    expect(read(JSON.stringify(lines)).lines).toEqual(lines);
    expect(read('""').lines).toEqual([]);
  });

  it('may have blanks in their name under never_touch, and nothing is put around them', () => {
    expect(touched('svc one, ~b \\S+, u*')).toEqual(['svc one', 'svc', 'one', '~b \\S+', 'u*']);
    expect(touched('Name <a@x.test>')).toEqual(['invalid_value']);
    expect(touched('["a@x.test"')).toEqual(['invalid_value']);
  });
});
