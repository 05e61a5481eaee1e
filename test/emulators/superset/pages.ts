import type { Callers } from './callers.ts';
import type { Call, Reply } from './exchange.ts';
import { roleNames, type State, type UserRow } from './state.ts';

const HTML = { 'Content-Type': 'text/html; charset=utf-8' } as const;
const REFUSED =
  'Superset did not sign you in. Either you have no active account here, or this request went round the gateway.\n';

/** Everything but the API: login, logout, and one page that says who is there. Undefined: no such page. */
export function page(call: Call, callers: Callers, signIn: 'assertion' | 'header', header: string): Reply | undefined {
  const { url, user, state } = call;
  switch (url.pathname) {
    case '/health':
      return { status: 200, text: 'OK', headers: { 'Content-Type': 'text/plain' } };
    case '/login/':
      return signIn === 'assertion' ? assertionLogin(user) : headerLogin(call, callers, header);
    case '/logout/':
      return logout(signIn);
    case '/':
      return redirect('/superset/welcome/');
    case '/superset/welcome/':
      if (user === undefined) return redirect(`/login/?next=${encodeURIComponent(url.pathname)}`);
      return { status: 200, text: welcome(state, user), headers: HTML };
    default:
      return undefined;
  }
}

function assertionLogin(user: UserRow | undefined): Reply {
  if (user !== undefined) return redirect('/');
  return { status: 403, text: REFUSED, headers: { 'Content-Type': 'text/plain; charset=utf-8' } };
}

function headerLogin({ state, headers }: Call, callers: Callers, header: string): Reply {
  const name = String(headers[header.toLowerCase()] ?? '').toLowerCase();
  const found = [...state.users.values()].filter(({ username }) => username.toLowerCase() === name);
  const [user] = found;
  // Two user names that differ in case let neither of them in.
  const isIn = found.length === 1 && user?.active === true;
  if (isIn) user.login_count = (user.login_count ?? 0) + 1;
  return redirect('/', { 'Set-Cookie': callers.cookieFor(isIn ? user : undefined) });
}

function logout(signIn: 'assertion' | 'header'): Reply {
  if (signIn === 'assertion') return redirect('/.latchgate/logout');
  return redirect('/', { 'Set-Cookie': 'session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/' });
}

function redirect(location: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 302, text: '', headers: { Location: location, ...headers } };
}

function welcome(state: State, user: UserRow): string {
  const groups = user.groups.flatMap((id) => state.groups.get(id)?.name ?? []);
  const rows = [
    ['User name', user.username],
    ['E-mail', user.email],
    ['Roles', roleNames(state, user).join(', ') || 'none'],
    ['Groups', groups.join(', ') || 'none'],
  ];
  const cells = rows.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value ?? '')}</dd>`).join('');
  const name = escapeHtml(`${user.first_name} ${user.last_name}`);
  return `<!doctype html><title>Superset</title><h1>Welcome, ${name}</h1><dl>${cells}</dl><p><a href="/logout/">Log out</a></p>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
