import type { Caller, Reply } from './exchange.ts';
import { groupsOf, isAdmin, workspacesOf } from './permissions.ts';
import type { State } from './state.ts';

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
};

const STYLE = `
:root { color-scheme: light dark; --ink: #16202c; --soft: #5b6877; --line: #dde3ea; --paper: #fff; --ground: #f3f6f9; --mark: #14b2e2; --tint: #e4f6fc }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8edf3; --soft: #9aa8b7; --line: #2b3642; --paper: #171e27; --ground: #0e141b; --mark: #35c3ef; --tint: #12323d }
}
* { box-sizing: border-box }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground) }
header { display: flex; align-items: center; gap: .75rem; padding: .9rem 1.5rem; background: var(--paper); border-bottom: 1px solid var(--line) }
header b { width: 1.1rem; height: 1.1rem; border-radius: 50%; background: var(--mark) }
header span { flex: 1; font-weight: 600 }
main { max-width: 46rem; margin: 2rem auto; padding: 0 1.25rem; display: grid; gap: 1.25rem }
section { background: var(--paper); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem 1.5rem }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; overflow-wrap: anywhere }
h2 { margin: 0 0 .75rem; font-size: 1rem }
p { margin: .25rem 0; color: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.25rem; margin: 1rem 0 0 }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
ul { list-style: none; margin: 0; padding: 0 }
li.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; padding: .6rem 0; border-top: 1px solid var(--line) }
li.row:first-child { border-top: 0; padding-top: 0 }
li.row strong { flex: 1; font-weight: 600; overflow-wrap: anywhere }
.tag { display: inline-block; margin: 0 .3rem .3rem 0; padding: .1rem .6rem; border-radius: 1rem; background: var(--tint); font-size: .85rem; overflow-wrap: anywhere }
a { color: inherit }
a.out { padding: .35rem .9rem; border: 1px solid var(--line); border-radius: .5rem; text-decoration: none }
a.out:hover, a.out:focus-visible { border-color: var(--mark) }
`;

/** Makes any text safe inside an element and inside a quoted attribute. */
function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

function documentOf(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body>${body}</body>
</html>
`;
}

function tags(names: readonly string[]): string {
  return names.map((name) => `<span class="tag">${escapeHtml(name)}</span>`).join('');
}

/** Who the caller is here and what the caller may open: stands in for the analytics front end. */
export function personPage(state: State, caller: Caller): Reply {
  const user = state.users.get(caller.userId);
  const { email, firstname, lastname, authenticationId } = user?.attributes ?? {};
  const stored = [firstname, lastname].filter(Boolean).join(' ');
  const name = stored || caller.name || caller.userId;
  const groups = groupsOf(state, caller.userId).map((id) => state.userGroups.get(id)?.attributes.name ?? id);
  const rows = workspacesOf(state, caller.userId).map(
    ({ workspace, permissions }) =>
      `<li class="row" data-workspace="${escapeHtml(workspace.id)}"><strong>${escapeHtml(workspace.name)}</strong><span>${tags(permissions)}</span></li>`,
  );
  const facts = [
    ['User', `<code data-user>${escapeHtml(caller.userId)}</code>`],
    ['E-mail', email ? escapeHtml(email) : '–'],
    ['Authentication id', authenticationId ? `<code>${escapeHtml(authenticationId)}</code>` : '–'],
    ['Groups', groups.length > 0 ? tags(groups) : 'none'],
  ];
  const body = `
<header><b></b><span>${escapeHtml(String(state.organization.attributes['name'] ?? 'Analytics'))}</span><a class="out" href="/.latchgate/logout">Log out</a></header>
<main>
<section><h1>${escapeHtml(name)}</h1><p>${isAdmin(state, caller.userId) ? 'You administer this organization.' : 'You are signed in.'}</p>
<dl>${facts.map(([term, value]) => `<dt>${term}</dt><dd>${value}</dd>`).join('')}</dl></section>
<section><h2>Workspaces you may open</h2>${rows.length > 0 ? `<ul>${rows.join('')}</ul>` : '<p>None yet: no group of yours has been given a workspace.</p>'}</section>
<p>GoodData emulator: it keeps accounts as the real service does and has no dashboards.</p>
</main>`;
  return { status: 200, text: documentOf(`${name} · analytics`, body), headers: HEADERS };
}

/** Stands where the real service would hand over to its own login. */
export function loginPage(): Reply {
  const body = `<main><section><h1>Not signed in</h1><p>The request carried no token, so the real service would now start its own login.
Come in through the gateway instead.</p></section></main>`;
  return { status: 200, text: documentOf('Not signed in', body), headers: HEADERS };
}

/** What a proxy in front of a broken service answers. */
export function brokenPage(status: number): Reply {
  return {
    status,
    text: documentOf('Error', `<main><section><h1>${status}</h1><p>Something went wrong.</p></section></main>`),
    headers: HEADERS,
  };
}
