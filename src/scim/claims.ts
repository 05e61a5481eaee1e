import { RENAMED_GROUPS } from '../mapping/privileged.ts';
import { ENTERPRISE_USER } from '../ops/scim/urns.ts';
import type { GroupOf } from './store/members.ts';
import type { Attributes } from './store/users.ts';

/** Of no use to any rule, and large. */
const LEFT_OUT: ReadonlySet<string> = new Set(['photos', 'x509Certificates']);

/** What the mapping reads of a user: its attributes, those of the enterprise extension by their own names, its groups. */
export function claimsOf(attributes: Attributes, groups: readonly GroupOf[]): Record<string, unknown> {
  const extension = attributes[ENTERPRISE_USER];
  const own = Object.entries(attributes).filter(([name]) => !LEFT_OUT.has(name));
  const email = primaryEmail(attributes['emails']);
  const renamed = groups.filter((group) => group.renamed).map(({ name }) => name);
  return {
    ...(typeof extension === 'object' && extension !== null ? extension : {}),
    ...Object.fromEntries(own),
    ...(email === undefined ? {} : { email }),
    groups: groups.map(({ name }) => name),
    ...(renamed.length === 0 ? {} : { [RENAMED_GROUPS]: renamed }),
  };
}

/** The address marked as primary, else that of work, else the first (RFC 7643 §2.4). */
function primaryEmail(emails: unknown): string | undefined {
  if (!Array.isArray(emails)) return undefined;
  const all = emails.filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null);
  const chosen =
    all.find(({ primary }) => primary === true) ??
    all.find(({ type }) => typeof type === 'string' && type.toLowerCase() === 'work') ??
    all[0];
  const value = chosen?.['value'];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
