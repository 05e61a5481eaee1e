/** A text as a name of an entry of ours. */
export function nameOf(text: string, otherwise: string): string {
  const cleaned = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .replace(/-+$/, '')
    .slice(0, 64);
  return cleaned === '' ? otherwise : cleaned;
}
