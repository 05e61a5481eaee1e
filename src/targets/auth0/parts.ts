import type { Auth0Api } from '../../ops/auth0/api.ts';
import type { Log } from '../../ops/log.ts';
import type { StillOurs } from '../target.ts';
import type { Auth0Accounts } from './accounts.ts';
import type { AccountView } from './documents.ts';
import type { Auth0Roles } from './roles.ts';

/** A link by which the owner of a new account sets a password. As secret as a password. */
export interface Invitation {
  readonly email: string;
  readonly accountId: string;
  readonly link: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface InviteOptions {
  readonly validMs: number;
  /** Where the link leads afterwards. */
  readonly returnTo?: string | undefined;
  readonly deliver: (invitation: Invitation) => Promise<void>;
}

/** What the writing of accounts works with. */
export interface WriteParts {
  readonly api: Auth0Api;
  readonly accounts: Auth0Accounts;
  readonly roles: Auth0Roles;
  readonly view: AccountView;
  readonly verifyEmail: boolean;
  readonly emailVerified: boolean;
  /** `missing.roles` of the config: whether a role that vanished meanwhile is made again. */
  readonly missingRoles: 'create' | 'refuse';
  readonly invite: InviteOptions | undefined;
  readonly now: () => number;
  readonly log: Pick<Log, 'warn'>;
  /** Asked ahead of each call that writes. Absent: nobody else is there. */
  readonly stillOurs?: StillOurs | undefined;
}
