import type { Person } from '../directory/directory.ts';
import { html, type Markup } from '../login/html.ts';
import type { Page } from './page.ts';
import { card, personLink, said, table, tag, timeOf } from './parts.ts';
import type { Visit } from './visit.ts';

const PAGE = 50;
const MOST_FOUND = 100;

/** `/people?q=TEXT&after=ID`: everybody, oldest first, or whom the text fits. */
export async function peoplePage({ deps, query }: Visit): Promise<Page> {
  const text = query.get('q')?.trim() ?? '';
  const { people } = deps.directory;
  const after = query.get('after') ?? undefined;
  const found = text === '' ? await people.list(PAGE + 1, after) : await people.search(text, MOST_FOUND + 1);
  const most = text === '' ? PAGE : MOST_FOUND;
  const shown = found.slice(0, most);
  const last = shown.at(-1);
  const hasMore = found.length > most;
  const rows = shown.map((person) => [
    personLink(person.id, person.displayName),
    person.email === undefined ? undefined : said(person.email),
    standingOf(person),
    timeOf(person.lastSeenAt),
  ]);
  const empty = text === '' ? 'Nobody yet: people come with their first login, a push or a sync.' : 'Nobody fits.';
  const body = html`${searchForm(text)}
<section class="card">${table('People', ['Name', 'E-mail', 'Status', 'Last seen'], rows, empty)}
${hasMore && text !== '' ? html`<p class="soft">More than ${String(MOST_FOUND)} fit; say more.</p>` : undefined}
${text === '' ? pages(after, hasMore ? last?.id : undefined) : undefined}</section>`;
  return { section: 'people', title: 'People', body };
}

export function standingOf({ disabled, leftAt }: Pick<Person, 'disabled' | 'leftAt'>): Markup {
  if (disabled) return tag('disabled', 'stop');
  return leftAt === undefined ? tag('active', 'done') : tag('left', 'wait');
}

function searchForm(text: string): Markup {
  return card(
    'Search',
    html`<form class="search" method="get" action="/people" role="search">
<div class="field"><label for="q">Name, or exactly: e-mail, user name, subject, id</label><input id="q" name="q" type="search" maxlength="256" value="${text}"></div>
<button class="button" type="submit">Search</button>${text === '' ? undefined : html`<a class="quiet" href="/people">Everybody</a>`}</form>`,
  );
}

function pages(after: string | undefined, next: string | undefined): Markup {
  const first = after === undefined ? undefined : html`<a class="quiet" href="/people">First page</a>`;
  const more =
    next === undefined
      ? undefined
      : html`<a class="quiet" href="/people?${new URLSearchParams({ after: next }).toString()}">Next page</a>`;
  return html`<div class="pages">${first}${more}</div>`;
}
