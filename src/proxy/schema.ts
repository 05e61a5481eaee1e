import { z } from 'zod';
import { durationMs, entryName, flag, hostName, oneOrMore, text, textList, waitMs } from '../config/values.ts';
import { conditionSchema } from '../mapping/schema.ts';

const methodList = textList
  .transform((methods) => methods.map((method) => method.toUpperCase()))
  .refine((methods) => methods.every((method) => /^[A-Z]+$/.test(method)), 'must be names of HTTP methods, such as GET')
  .refine((methods) => !methods.includes('CONNECT'), 'must not hold CONNECT, which is never forwarded')
  .refine((methods) => !methods.includes('TRACE'), 'must not hold TRACE, which is never forwarded')
  .refine((methods) => methods.length > 0, 'must not be empty: leave the key out to serve every method');

const routeSchema = z.strictObject({
  host: hostName.optional().meta({
    description:
      'The host that it belongs to; needs `session.cookie_domain`. Default: that of `public_url`. Its scheme, and its port unless it names one, are those of `public_url`.',
    examples: ['reports.example.com'],
  }),
  path: text
    .regex(/^\/[^?#\s\\;%]*$/, 'must begin with / and hold no query, fragment, blank, backslash, ; or %')
    .refine(
      (path) => !/\/(\/|\.{1,2}(\/|$))/.test(path),
      'must have no empty, . or .. segment: no request has one after normalisation',
    )
    .meta({ description: 'A prefix of whole path segments, compared after normalisation.', examples: ['/'] }),
  to: entryName.describe('The target that serves it.'),
  methods: methodList.optional().describe('HTTP methods that are served. Default: all.'),
  when: conditionSchema
    .optional()
    .describe('Who may use the route, in the language of rules. Default: everybody with an account in the target.'),
  login: entryName
    .optional()
    .describe(
      'The login by which people get there when they have none: nobody is asked. Others who are logged in get there all the same; `when: { origin: … }` keeps them out.',
    ),
  public: flag.prefault(false).describe('Served without a login, and without saying who it is.'),
});

export const tlsSchema = z
  .strictObject({
    certificate: oneOrMore.meta({
      description:
        'PEM files: the certificate of a host and those that lead to its authority. With several, the name that a browser asks for decides (SNI), and the first is for everybody else. Looked at every ten seconds; a change needs no restart.',
      examples: ['/etc/latchgate/tls.crt'],
    }),
    key: oneOrMore.meta({
      description: 'PEM files: the key of each certificate, in the same order, without a passphrase.',
      examples: ['/run/secrets/tls.key'],
    }),
    min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Older versions are refused.'),
  })
  .superRefine(({ certificate, key }, context) => {
    if (certificate.length === key.length) return;
    const message = `must name as many files as certificate, ${certificate.length}, in the same order`;
    context.addIssue({ code: 'custom', path: ['key'], message });
  });

export const forwardAuthSchema = z.strictObject({
  secrets: textList
    .refine((secrets) => secrets.length > 0, 'must have at least one secret')
    .refine(
      (secrets) => secrets.every((secret) => /^(?! )[\x20-\x7e]{32,}(?<! )$/.test(secret)),
      'must have at least 32 characters in each secret, ASCII alone',
    )
    .meta({
      description:
        'What the web server says in `X-Latchgate-Secret` when it asks; any of them will do. Without it `/.latchgate/auth` tells who it is, and neither what signs in at a backend nor a cookie.',
      examples: [['${file:/run/secrets/forward-auth}']],
    }),
});

export const shutdownSchema = z.strictObject({
  delay: waitMs
    .prefault('0s')
    .describe(
      'After SIGTERM: how long the gateway still serves, while readiness says that it stops. For load balancers that learn of it late.',
    ),
  idle: waitMs
    .prefault('5s')
    .describe(
      'How long a connection that is kept open may then still bring a last request. Longer than the load balancer in front keeps idle ones: what it sends at the very moment of their end is lost.',
    ),
  drain: durationMs.prefault('25s').describe('How long open requests have to end, `idle` included.'),
});

export const routesSchema = z.array(routeSchema).min(1, 'must have at least one route');
