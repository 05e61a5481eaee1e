import { isGuessable } from './check-servers.ts';
import type { Finding } from './complaint.ts';
import type { Checked, Declared } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

type Client = readonly [string, NonNullable<Config['scim']>['clients'][string]];

const OWN_PREFIX = '/.latchgate';

/** SCIM clients against logins, sources, routes and each other. */
export function checkScim({ scim, routes = [], tls }: Partial<Config>, declared: Declared): Checked {
  if (scim === undefined) return { complaints: [], warnings: [] };
  const clients = Object.entries(scim.clients);
  const hidden = routes.flatMap(({ path }, index) =>
    isWithin(path, scim.path) ? [hiddenRoute(index, scim.path)] : [],
  );
  return {
    complaints: [
      ...(isWithin(scim.path, OWN_PREFIX) ? [ownPath()] : []),
      ...clients.flatMap((client) => names(client, declared)),
      ...clients.flatMap(([name, { client_certificates: wanted }]) =>
        wanted.length > 0 && tls === undefined ? [noCertificates(name)] : [],
      ),
      ...tokens(clients),
    ],
    warnings: [
      ...hidden,
      ...clients.flatMap(([name, { trust_email: trusts, email_domains: domains }]) =>
        domains.length > 0 && !trusts ? [untrustedDomains(name)] : [],
      ),
    ],
  };
}

function isWithin(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}

function ownPath(): Finding {
  const message = `\`scim.path\` is below ${OWN_PREFIX}, where the gateway has its own pages`;
  return { path: ['scim', 'path'], code: 'invalid_value', message, hint: 'write /scim/v2' };
}

function hiddenRoute(index: number, path: string): Finding {
  const message = `no request reaches this route: ${path} is where SCIM is`;
  return { path: ['routes', index, 'path'], code: 'unreachable', message, hint: 'give one of the two another path' };
}

/** Rules, the ledger and the audit say `origin`: one name has to be one thing. */
function names([name, { login }]: Client, declared: Declared): readonly Finding[] {
  const path = ['scim', 'clients', name];
  const found: Finding[] = [];
  const kind = declared.logins.has(name) ? 'login' : declared.sources.has(name) ? 'source' : undefined;
  if (kind !== undefined) {
    const message = `\`scim.clients.${name}\` has the name of a ${kind}`;
    found.push({ path, at: 'key', code: 'duplicate_origin', message, hint: 'give it another one' });
  }
  if (login === undefined || declared.logins.has(login)) return found;
  const meant = nearest(login, declared.logins);
  const hint = meant === undefined ? `the logins are ${[...declared.logins].join(', ')}` : `did you mean ${meant}?`;
  const message = `\`scim.clients.${name}.login\` names no login of this file`;
  return [...found, { path: [...path, 'login'], code: 'unknown_origin', message, hint }];
}

function noCertificates(name: string): Finding {
  return {
    path: ['scim', 'clients', name, 'client_certificates'],
    at: 'key',
    code: 'missing_key',
    message: `\`scim.clients.${name}.client_certificates\` needs \`tls\`: only who ends TLS sees a certificate`,
    hint: 'set tls, or let the web server in front ask for the certificate and leave this out',
  };
}

function tokens(clients: readonly Client[]): readonly Finding[] {
  const first = new Map<string, string>();
  return clients.flatMap(([name, { tokens: own }]) =>
    own.flatMap((token, index): Finding[] => {
      const path = ['scim', 'clients', name, 'tokens', index];
      if (isGuessable(token)) {
        const message = `\`scim.clients.${name}.tokens\` holds a placeholder that everybody could guess`;
        return [{ path, code: 'placeholder_secret', message, hint: 'openssl rand -base64 48 makes one' }];
      }
      const other = first.get(token);
      if (other === undefined) first.set(token, name);
      if (other === undefined || other === name) return [];
      const message = `\`scim.clients.${name}\` has a token of \`scim.clients.${other}\`: it says who the client is`;
      return [{ path, code: 'duplicate_token', message, hint: 'give each client tokens of its own' }];
    }),
  );
}

function untrustedDomains(name: string): Finding {
  const message = `\`scim.clients.${name}.email_domains\` does nothing: \`trust_email\` is off`;
  return { path: ['scim', 'clients', name, 'email_domains'], at: 'key', code: 'no_effect', message };
}
