/** How the service differs from one that can do everything. */
export interface Options {
  /** Default true. False: 501. */
  readonly patch: boolean;
  /** Whether paths of a PATCH may have a filter in them. Default true. False: 400. */
  readonly valuePaths: boolean;
  /** Default 200, with the resource. 204: without. */
  readonly patchAnswer: 200 | 204;
  /** Default true. False: 501. `ignored`: everything, whatever was asked. */
  readonly filter: boolean | 'ignored';
  /** Whether groups can be filtered by their members. Default true. */
  readonly memberFilter: boolean;
  /** Default: none. */
  readonly bulk: { readonly maxOperations: number; readonly maxPayloadSize: number } | undefined;
  /** Versions of resources. Default true. `required`: nothing is written without If-Match (428). */
  readonly etag: boolean | 'required';
  /** The most that one page has. Default 50. */
  readonly pageSize: number;
  /** Default true. False: every list whole, from whatever index. */
  readonly pages: boolean;
  /** Whether `totalResults` counts the page alone. Default false. */
  readonly countsPage: boolean;
  /** Default true. False: 404 on all three endpoints. */
  readonly discovery: boolean;
  /** Default true: `/Me` is the user `service`. False: 501. */
  readonly me: boolean;
  /** Default false: two groups may have one name, as RFC 7643 lets them. */
  readonly uniqueGroups: boolean;
  /** Default true. False: 405. */
  readonly deletes: boolean;
  /** Default true. False: lists show groups without their members. */
  readonly listsMembers: boolean;
  /** Default true. False: groups never show their members. */
  readonly showsMembers: boolean;
  /** Whether users show their groups. Default true. */
  readonly userGroups: boolean;
  /** Attributes that its schemas do not have. */
  readonly lacks: readonly string[];
}

export const ABLE: Options = {
  patch: true,
  valuePaths: true,
  patchAnswer: 200,
  filter: true,
  memberFilter: true,
  bulk: undefined,
  etag: true,
  pageSize: 50,
  pages: true,
  countsPage: false,
  discovery: true,
  me: true,
  uniqueGroups: false,
  deletes: true,
  listsMembers: true,
  showsMembers: true,
  userGroups: true,
  lacks: [],
};
