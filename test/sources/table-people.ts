import type { SuitePerson } from '../conformance/source.ts';

/** A table of people as companies have them: a row for each role, e-mails in two cases, a role twice, nobody's role. */
export const ROWS: readonly { readonly email: string; readonly role: string | null; readonly title: string }[] = [
  { email: 'Ada@Example.com', role: 'Admin', title: 'Countess' },
  { email: 'ada@example.com', role: 'User', title: 'Countess' },
  { email: 'grace@example.com', role: 'User', title: 'Rear Admiral' },
  { email: 'grace@example.com', role: 'User', title: 'Rear Admiral' },
  { email: 'carol@example.com', role: null, title: 'Analyst' },
  { email: 'jürgen@example.com', role: 'Bücher', title: 'Ökonom 🧮' },
  { email: "o'brien@example.com", role: 'User', title: 'He said "no", twice' },
];

export const PEOPLE: readonly SuitePerson[] = [
  { email: 'Ada@Example.com', groups: ['Admin', 'User'], active: true },
  { email: 'grace@example.com', groups: ['User'], active: true },
  { email: 'carol@example.com', groups: [], active: true },
  { email: 'jürgen@example.com', groups: ['Bücher'], active: true },
  { email: "o'brien@example.com", groups: ['User'], active: true },
];
