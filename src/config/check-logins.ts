import { BUILT_IN_CLAIMS } from '../login/claims/schema.ts';
import { canonicalDomain } from '../mapping/email.ts';
import type { Finding } from './complaint.ts';
import { unknownAttribute } from './conditions.ts';
import { attributeNames, type Checked, type Declared } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

/** Logins against each other, and against what `identity` asks of them. */
export function checkLogins(config: Partial<Config>, declared: Declared): Checked {
  const login = config.login ?? {};
  const none: Finding[] =
    config.login !== undefined && declared.logins.size === 0 && config.routes?.length !== 0
      ? [
          {
            path: ['login'],
            at: 'key',
            code: 'missing_key',
            message: '`login` has no entry',
            hint: 'name at least one identity provider',
          },
        ]
      : [];
  return {
    complaints: [
      ...none,
      ...Object.entries(login).flatMap(clientAuthentication),
      ...Object.entries(login).flatMap(unsigned),
      ...Object.entries(login).flatMap(withoutEntityId),
      ...twins(login),
      ...sharedIssuers(login),
      ...bearerAudiences(login),
      ...required(config, declared),
    ],
    warnings: [
      ...sharedDomains(login),
      ...Object.entries(login).flatMap(withoutEffect),
      ...Object.entries(login).flatMap(loosened),
      ...misspelt(login),
    ],
  };
}

type Logins = Config['login'];
type Login = readonly [string, Logins[string]];

function clientAuthentication([name, login]: Login): readonly Finding[] {
  if (login.type === 'saml' || login.client_secret === undefined || login.private_key === undefined) return [];
  const message = `\`login.${name}\` has both client_secret and private_key`;
  return [
    {
      path: ['login', name, 'private_key'],
      at: 'key',
      code: 'client_auth_conflict',
      message,
      hint: 'keep the one that the provider knows',
    },
  ];
}

function twins(login: Logins): readonly Finding[] {
  const first = new Map<string, string>();
  return Object.entries(login).flatMap(([name, one]): Finding[] => {
    const key = clientOf(one);
    if (key === undefined) return [];
    const other = first.get(key);
    if (other === undefined) first.set(key, name);
    if (other === undefined) return [];
    const message = `\`login.${name}\` is the same client of the same issuer as \`login.${other}\``;
    return [{ path: ['login', name], at: 'key', code: 'duplicate_login', message, hint: 'take one out' }];
  });
}

/** By what the provider knows us. Of a SAML provider only its metadata says who it is. */
function clientOf(login: Logins[string]): string | undefined {
  if (login.type === 'oidc') return JSON.stringify([login.issuer.replace(/\/+$/, ''), login.client_id]);
  return login.entity_id === undefined ? undefined : JSON.stringify([login.metadata, login.entity_id]);
}

/** Whoever answers at the address could name themselves after any other provider, and speak for its people. */
function withoutEntityId([name, login]: Login): readonly Finding[] {
  if (login.type === 'oidc' || login.metadata.startsWith('<') || login.idp_entity_id !== undefined) return [];
  const message = `\`login.${name}\` reads metadata from an address, and does not say whose: idp_entity_id is missing`;
  const hint = 'write the entityID that the metadata have now';
  return [{ path: ['login', name, 'idp_entity_id'], at: 'key', code: 'missing_key', message, hint }];
}

/** People are known by issuer and subject: two logins of OpenID Connect may share an issuer, whose subjects are the same. */
function sharedIssuers(login: Logins): readonly Finding[] {
  const all = Object.entries(login);
  const bare = (issuer: string | undefined) => issuer?.replace(/\/+$/, '');
  return all.flatMap(([name, one], index): readonly Finding[] => {
    if (one.type === 'oidc' || one.idp_entity_id === undefined) return [];
    const own = bare(one.idp_entity_id);
    const other = all.find(([, each], at) =>
      each.type === 'oidc' ? bare(each.issuer) === own : at < index && bare(each.idp_entity_id) === own,
    );
    if (other === undefined) return [];
    const message = `\`login.${name}\` has the name of the provider of \`login.${other[0]}\`: each could log in people of the other`;
    const hint = 'keep one of the two logins';
    return [{ path: ['login', name, 'idp_entity_id'], code: 'duplicate_issuer', message, hint }];
  });
}

/** What an access token is meant for says whose it is: not of our own client, and not of two logins at once. */
function bearerAudiences(login: Logins): readonly Finding[] {
  const first = new Map<string, string>();
  return Object.entries(login).flatMap(([name, one]) => {
    if (one.type === 'saml') return [];
    const { issuer, client_id, bearer } = one;
    return (bearer?.audience ?? []).flatMap((audience, index): Finding[] => {
      const path = ['login', name, 'bearer', 'audience', index];
      if (audience === client_id) {
        const message = `\`login.${name}.bearer.audience\` is its client_id, for which ID tokens are meant: they would pass for access tokens`;
        const hint = 'let the provider issue access tokens for an audience of their own, such as latchgate-api';
        return [{ path, code: 'bearer_audience', message, hint }];
      }
      const key = JSON.stringify([issuer.replace(/\/+$/, ''), audience]);
      const other = first.get(key);
      if (other === undefined) first.set(key, name);
      if (other === undefined || other === name) return [];
      const message = `\`login.${name}\` takes access tokens of the same issuer for the same audience as \`login.${other}\``;
      return [{ path, code: 'bearer_audience', message, hint: 'give each an audience of its own' }];
    });
  });
}

function unsigned([name, login]: Login): readonly Finding[] {
  if (login.type === 'oidc' || login.want_response_signed || login.want_assertion_signed) return [];
  const message = `\`login.${name}\` wants neither the response nor the assertion signed`;
  return [
    {
      path: ['login', name, 'want_assertion_signed'],
      at: 'key',
      code: 'saml_unsigned',
      message,
      hint: 'turn on the one that the provider signs',
    },
  ];
}

function loosened([name, login]: Login): readonly Finding[] {
  if (login.type === 'oidc') return [];
  const finding = (key: string, message: string): Finding => ({
    path: ['login', name, key],
    at: 'key',
    code: 'saml_loosened',
    message: `\`login.${name}.${key}\` ${message}`,
  });
  return [
    ...(login.want_response_signed
      ? []
      : [finding('want_response_signed', 'takes responses that are not signed as a whole')]),
    ...(login.want_assertion_signed
      ? []
      : [finding('want_assertion_signed', 'takes assertions without a signature of their own')]),
    ...(login.idp_initiated ? [finding('idp_initiated', 'takes logins that no browser of ours began')] : []),
  ];
}

function sharedDomains(login: Logins): readonly Finding[] {
  const first = new Map<string, string>();
  return Object.entries(login).flatMap(([name, { email_domains }]) =>
    email_domains.flatMap((domain, index): Finding[] => {
      const canonical = canonicalDomain(domain);
      const other = first.get(canonical);
      if (other === undefined) first.set(canonical, name);
      if (other === undefined || other === name) return [];
      const message = `\`login.${name}\` and \`login.${other}\` both claim the domain of an e-mail address: people have to choose`;
      return [{ path: ['login', name, 'email_domains', index], code: 'duplicate_email_domain', message }];
    }),
  );
}

function withoutEffect([name, login]: Login): readonly Finding[] {
  if (!login.trust_email || login.email_domains.length > 0) return [];
  const message = `\`login.${name}.trust_email\` does nothing without email_domains`;
  return [
    {
      path: ['login', name, 'trust_email'],
      code: 'no_effect',
      message,
      hint: 'list the domains whose addresses this provider vouches for',
    },
  ];
}

/** A key of `claims` may have any name, so a misspelt one is not an error; it is hardly ever meant. */
function misspelt(login: Logins): readonly Finding[] {
  const builtIn = Object.keys(BUILT_IN_CLAIMS);
  return Object.entries(login).flatMap(([name, { claims }]) =>
    Object.keys(claims).flatMap((attribute): Finding[] => {
      const meant = builtIn.includes(attribute) ? undefined : nearest(attribute, builtIn);
      if (meant === undefined || attribute.length < 4) return [];
      const message = `\`login.${name}.claims.${attribute}\` makes an attribute of its own beside the built-in ${meant}`;
      return [
        {
          path: ['login', name, 'claims', attribute],
          at: 'key',
          code: 'no_effect',
          message,
          hint: `did you mean ${meant}?`,
        },
      ];
    }),
  );
}

const NOT_REQUIRABLE = new Set(['origin']);

function required({ identity }: Partial<Config>, declared: Declared): readonly Finding[] {
  const known = attributeNames(declared);
  return (identity?.require ?? []).flatMap((attribute, index) =>
    known.has(attribute) && !NOT_REQUIRABLE.has(attribute)
      ? []
      : [unknownAttribute(attribute, ['identity', 'require', index], declared, 'value')],
  );
}
