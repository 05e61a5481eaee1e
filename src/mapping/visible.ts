/** The same in quotes. */
export function quote(text: string): string {
  return `"${show(text)}"`;
}

/** So that no text can pass for another or steer a terminal: what can't be seen, and a word of two alphabets, by number. */
export function show(text: string): string {
  const visible = text.replace(/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, byNumber);
  return visible.replace(/[\p{L}\p{M}]+/gu, (word) => (LATIN.test(word) ? word.replace(LOOK_ALIKE, byNumber) : word));
}

const LATIN = /[A-Za-z]/;
const LOOK_ALIKE =
  /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\uff21-\uff3a\uff41-\uff5a]/gu;

function byNumber(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
