/** Of every SCIM service. */
export const SKIPPED: Readonly<Record<string, string>> = {
  'gives people with hostile keys accounts of their own, and finds them again':
    'two keys of it differ only in case, which are one user name here; target.test.ts has its own',
  'does not give a group that vanished, and the next plan says so':
    'a missing group is made; refused in target.test.ts',
};
