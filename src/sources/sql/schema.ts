import { z } from 'zod';
import { count, flag, text } from '../../config/values.ts';
import type { BuiltInClaims } from '../../login/claims/schema.ts';
import { originMembers } from '../origin/schema.ts';

/** What the columns of a table of people are commonly called. The case of a column's name does not matter. */
export const COLUMN_CLAIMS = {
  given_name: ['given_name', 'first_name', 'firstname'],
  family_name: ['family_name', 'last_name', 'lastname'],
  name: ['name', 'full_name', 'display_name'],
  email: ['email', 'e_mail', 'mail'],
  preferred_username: ['preferred_username', 'username', 'user_name'],
  groups: ['roles', 'role', 'groups', 'group'],
} as const satisfies Partial<BuiltInClaims>;

export const SQL_DRIVERS = ['mssql', 'postgres', 'mysql', 'sqlite'] as const;
export type SqlDriver = (typeof SQL_DRIVERS)[number];

const URL_FORM =
  'must be mssql://, postgres://, mysql:// or mariadb:// with USER:PASSWORD@HOST/DATABASE, or sqlite:FILE';

const sqlUrl = z
  .string(URL_FORM)
  .regex(/^(sqlite:(?!\/\/).+|(mssql|sqlserver|postgres|postgresql|mysql|mariadb):\/\/.+)$/, URL_FORM)
  .refine(
    (value) => value.startsWith('sqlite:') || URL.canParse(value),
    'must be an address; write signs such as @ / # in a password as %40 %2F %23, or give `password` by itself',
  )
  .meta({ title: 'database address' });

/** A variable that is set to nothing is as good as one that is not set. */
const orNothing = <T extends z.ZodType>(schema: T) =>
  z.union([schema, z.literal('').transform(() => undefined)]).optional();

export const sqlSourceSchema = z.strictObject({
  type: z.literal('sql').describe('The kind of source: a query on a database.'),
  url: orNothing(sqlUrl).meta({
    title: 'database address',
    description:
      '`mssql://`, `postgres://`, `mysql://` or `mariadb://` with user, password, host, port and database, or `sqlite:FILE` (relative to the config file). The keys below take precedence over its parts.',
    examples: ['postgres://reader@db.example.com/hr'],
  }),
  driver: orNothing(z.enum(SQL_DRIVERS)).meta({
    title: SQL_DRIVERS.map((driver) => `\`${driver}\``).join(', '),
    description: 'The kind of database, for a connection without `url`. Default: that of `url`, else `mssql`.',
  }),
  server: orNothing(text).describe('Host name or address of the database server.'),
  port: orNothing(count.refine((port) => port > 0 && port < 65_536, 'must be from 1 to 65535')).meta({
    title: 'whole number',
    description: 'Its port. Default: 1433, 5432 or 3306, as is usual for the kind.',
  }),
  instance: orNothing(text).describe('`mssql`: a named instance, found through the SQL Server Browser.'),
  database: orNothing(text).describe('Name of the database.'),
  user: orNothing(text).describe('Account on the server; one that may only read is enough.'),
  password: orNothing(text).describe('Its password.'),
  domain: orNothing(text).describe('`mssql`: Windows domain of the account, which makes the login one by NTLM.'),
  encrypt: orNothing(flag).meta({
    title: '`true` or `false`',
    description:
      'Whether the connection is encrypted. Default: `mssql` yes; the others as `url` says (`sslmode`, `ssl`), else no.',
  }),
  trust_certificate: flag
    .prefault(false)
    .describe('Takes any certificate of the server: for servers with a self-signed one in a network that you trust.'),
  ca: orNothing(text).describe('PEM text of the authority that signed the certificate of the server.'),
  query: text.meta({
    description:
      'One statement that gives a row for each person, or several: columns email, role and any further attribute. Several rows of a person are several roles.',
    examples: ['SELECT email, role FROM users'],
  }),
  key: text
    .optional()
    .describe(
      'Column that tells people apart and never changes. Default: `subject` when the query has such a column, else the e-mail column.',
    ),
  max_rows: count
    .refine((number) => number > 0, 'must be at least 1')
    .prefault(1_000_000)
    .describe('Rows after which reading stops. The listing then counts as incomplete, and nobody is removed.'),
  ...originMembers(COLUMN_CLAIMS),
});

export type SqlSourceConfig = z.output<typeof sqlSourceSchema>;
