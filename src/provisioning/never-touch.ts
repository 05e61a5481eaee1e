import { compilePattern } from '../mapping/patterns.ts';
import type { ActualAccount } from '../model/change.ts';

/**
 * Whether an account fits a line of `safety.never_touch`, by user name, e-mail or external id, which may
 * have its origin and a `|` in front. Without case, as backends and mail
 * systems take both: a line that fits too much protects too much, the other way round it would protect nobody. Throws
 * `config_invalid`.
 */
export function compileNeverTouch(
  lines: readonly string[],
): (account: Pick<ActualAccount, 'userName' | 'externalId' | 'profile'>) => boolean {
  const patterns = lines.map((line) => {
    // In a regular expression `\S` is not `\s`: its flag ignores case instead.
    const pattern = compilePattern(line.startsWith('~') ? `~(?i)${line.slice(1).normalize()}` : folded(line));
    return (text: string) => pattern.match(pattern.kind === 'regex' ? text.normalize() : folded(text)) !== undefined;
  });
  return ({ userName, externalId, profile }) =>
    [userName, profile.email, externalId, externalId?.replace(/^[^|]*\|/, '')].some(
      (text) => typeof text === 'string' && patterns.some((fits) => fits(text)),
    );
}

/** Without case, and a letter with an accent is the same however it is put together. */
function folded(text: string): string {
  return text.normalize().toLowerCase().normalize();
}
