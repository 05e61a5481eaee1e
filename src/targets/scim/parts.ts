import type { StillOurs } from '../target.ts';
import type { ScimAccounts } from './accounts.ts';
import type { ScimApi } from './api.ts';
import type { Discovery } from './features.ts';
import type { ScimGroups } from './groups.ts';
import type { Members } from './members.ts';
import type { OneAtATime } from './one-at-a-time.ts';

/** What the writing of accounts works with. */
export interface WriteParts {
  readonly api: ScimApi;
  readonly discovery: Discovery;
  readonly accounts: ScimAccounts;
  readonly groups: ScimGroups;
  readonly members: Members;
  readonly oneAtATime: OneAtATime;
  /** `missing.groups` of the config: whether a group that vanished meanwhile is made again. */
  readonly missingGroups: 'create' | 'refuse';
  /** Asked ahead of each call that writes. Absent: nobody else is there. */
  readonly stillOurs?: StillOurs | undefined;
}
