import fc from 'fast-check';
import { commonNameOf, isUnder, parseDistinguishedName } from '../../src/mapping/distinguished-name.ts';

function commonName(text: string): string | undefined {
  const name = parseDistinguishedName(text);
  return name === undefined ? undefined : commonNameOf(name);
}

describe('the CN of a distinguished name', () => {
  it.each([
    ['a plain one', 'CN=BI-Analysts,OU=Groups,DC=example,DC=com', 'BI-Analysts'],
    ['the type in any case', 'cN=BI-Analysts,ou=Groups', 'BI-Analysts'],
    ['the type as an OID', '2.5.4.3=BI-Analysts,DC=com', 'BI-Analysts'],
    ['blanks around separators', ' CN = BI-Analysts , OU=Groups', 'BI-Analysts'],
    ['an escaped comma', String.raw`CN=Analysts\, BI,OU=Groups`, 'Analysts, BI'],
    ['an escaped plus and equals sign', String.raw`CN=R\+D \= all,OU=Groups`, 'R+D = all'],
    ['an equals sign as it stands', 'CN=team=blue,OU=Groups', 'team=blue'],
    ['an escaped backslash before a comma', String.raw`CN=back\\,OU=Groups`, 'back\\'],
    ['an escaped number sign and blank in front', String.raw`CN=\#one,OU=Groups`, '#one'],
    ['escaped blanks at both ends', String.raw`CN=\ BI\ ,OU=Groups`, ' BI '],
    ['octets of UTF-8', String.raw`CN=Lu\C4\8Di\C4\87,OU=Groups`, 'Lučić'],
    ['characters beyond ASCII as they stand', 'CN=Führung 💡,OU=Groups', 'Führung 💡'],
    ['hexadecimal BER of a UTF8String', 'CN=#0C0B42492D416E616C79737473,OU=Groups', 'BI-Analysts'],
    ['hexadecimal BER of a PrintableString', '2.5.4.3=#13024249,DC=com', 'BI'],
    ['the CN of several in the first part', 'OU=Sales+CN=J. Smith,DC=example,DC=net', 'J. Smith'],
    ['a name of one part', 'CN=BI', 'BI'],
    ['an empty CN', 'CN=,OU=Groups', ''],
    ['a CN further up is not that of the group', 'OU=Groups,CN=Builtin,DC=com', undefined],
    ['two CNs in the first part', 'CN=a+CN=b,DC=com', undefined],
    ['no name at all', 'BI-Analysts', undefined],
    ['nothing', '', undefined],
    ['a comma at the end', 'CN=BI,', undefined],
    ['a backslash at the end', 'CN=BI\\', undefined],
    ['a backslash before a letter', String.raw`CN=B\I,DC=com`, undefined],
    ['octets that are no UTF-8', String.raw`CN=\C4,DC=com`, undefined],
    ['quotation marks, which RFC 4514 has not', 'CN="Analysts, BI",DC=com', undefined],
    ['a semicolon between parts', 'CN=BI;DC=com', undefined],
    ['hexadecimal of another type (INTEGER)', 'CN=#020101,DC=com', undefined],
    ['hexadecimal whose length is wrong', 'CN=#0C0542,DC=com', undefined],
    ['hexadecimal of an odd number of digits', 'CN=#0C1,DC=com', undefined],
    ['a type that is none', '1CN=BI,DC=com', undefined],
  ])('%s', (_, text, expected) => {
    expect(commonName(text)).toBe(expected);
  });

  it('comes back from whatever RFC 4514 writes it as', () => {
    const part = fc.record({
      type: fc.constantFrom('CN', 'cn', 'OU', 'DC', '2.5.4.11'),
      value: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.array(part), (cn, rest) => {
        const text = [{ type: 'CN', value: cn }, ...rest]
          .map(({ type, value }) => `${type}=${written(value)}`)
          .join(',');
        expect(commonName(text)).toBe(cn);
      }),
    );
  });

  it('is read of any text without throwing', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => [undefined, 'string'].includes(typeofName(text))));
  });
});

describe('below another name', () => {
  const under = (name: string, base: string): boolean =>
    isUnder(parseDistinguishedName(name) ?? [], parseDistinguishedName(base) ?? []);

  it.each([
    ['CN=BI,OU=Groups,DC=example,DC=com', true],
    ['cn=BI,ou=groups,dc=EXAMPLE,dc=com', true],
    ['CN=BI,OU=Sub,OU=Groups,DC=example,DC=com', true],
    [String.raw`CN=BI,OU=\47roups,DC=example,DC=com`, true],
    ['OU=Groups,DC=example,DC=com', false],
    ['CN=BI,OU=Other,DC=example,DC=com', false],
    [String.raw`CN=BI\,OU=Groups\,DC=example\,DC=com`, false],
    ['CN=BI,OU=NotGroups,DC=example,DC=com', false],
    ['CN=BI,OU=Groups,DC=example,DC=com,DC=evil', false],
  ])('%s: %s', (name, expected) => {
    expect(under(name, 'OU=Groups,DC=example,DC=com')).toBe(expected);
  });
});

/** RFC 4514 §2.4. */
function written(value: string): string {
  const escaped = value.replaceAll(/["+,;<>\\]/g, (character) => `\\${character}`).replaceAll('\0', '\\00');
  return escaped.replace(/^[ #]/, (first) => `\\${first}`).replace(/(?<!\\) $/, '\\ ');
}

function typeofName(text: string): string | undefined {
  const name = commonName(text);
  return name === undefined ? undefined : typeof name;
}
