import { isLoopback } from '../model/loopback.ts';
import { originOfHost } from '../model/origin.ts';
import type { Finding } from './complaint.ts';
import { checkNames, checkPatterns, linesOf } from './conditions.ts';
import type { Checked, Declared } from './declared.ts';
import type { Config } from './schema.ts';

/** The operators' page: its address, and who has a role there. */
export function checkOperators(config: Partial<Config>, declared: Declared): Checked {
  return { complaints: [...address(config), ...roles(config, declared)], warnings: withoutOperators(config) };
}

function address({ operators, admin_url: adminUrl, public_url: publicUrl, routes = [] }: Partial<Config>): Finding[] {
  if (operators === undefined) return [];
  if (adminUrl === undefined) {
    const message = '`operators` needs `admin_url`, the address by which their browsers see `admin_listen`';
    const hint = 'admin_url: http://127.0.0.1:4181 when they are on this machine or come by a tunnel';
    return [{ path: ['operators'], at: 'key', code: 'missing_key', message, hint }];
  }
  const found: Finding[] = [];
  const { protocol, hostname, origin } = new URL(adminUrl);
  if (protocol !== 'https:' && !isLoopback(hostname) && !hostname.endsWith('.localhost')) {
    const message = '`admin_url` must be https://: what operators do does not travel over plain http';
    const hint = 'http:// is accepted for 127.0.0.1, localhost and names that end in .localhost';
    found.push({ path: ['admin_url'], code: 'insecure_public_url', message, hint });
  }
  const taken = publicUrl === undefined ? [] : [publicUrl, ...routes.map(({ host }) => originOfHost(publicUrl, host))];
  if (taken.some((one) => new URL(one).origin === origin)) {
    const message = '`admin_url` is an address where people are served: the operators’ page needs one of its own';
    found.push({ path: ['admin_url'], code: 'listen_conflict', message, hint: 'give it another host or port' });
  }
  return found;
}

function roles({ operators, login }: Partial<Config>, declared: Declared): Finding[] {
  if (operators === undefined) return [];
  const found = (['viewer', 'operator'] as const).flatMap((role) => {
    const lines = linesOf(operators[role]?.when, ['operators', role, 'when']);
    return [...lines.flatMap((line) => checkPatterns(line.values, line.path)), ...checkNames(lines, declared)];
  });
  if (login !== undefined && Object.keys(login).length === 0) {
    const message = '`operators` needs a login: without one nobody can say who they are';
    found.push({ path: ['operators'], at: 'key', code: 'missing_key', message, hint: 'add an entry to login' });
  }
  return found;
}

function withoutOperators({ operators, admin_url: adminUrl }: Partial<Config>): Finding[] {
  if (operators !== undefined || adminUrl === undefined) return [];
  const message = '`admin_url` does nothing without `operators`: nobody has a role there';
  return [{ path: ['admin_url'], at: 'key', code: 'no_effect', message }];
}
