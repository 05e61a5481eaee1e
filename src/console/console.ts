import { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express';
import { requestIdOf, sendRedirect, setOwnHeaders } from '../login/answer.ts';
import { html } from '../login/html.ts';
import { sentenceFor } from '../login/sentences.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { activityPage } from './activity.ts';
import { auditPage } from './audit.ts';
import type { ConsoleDeps } from './deps.ts';
import { adoptDrift, driftPage, driftResult, repairDrift } from './drift.ts';
import { overviewPage } from './overview.ts';
import { type Page, sendConsolePage } from './page.ts';
import { peoplePage } from './people.ts';
import { disablePerson, enablePerson, endSessionsOf, liftPinOf, personPage } from './person.ts';
import { approvePlan, planPage, plansPage, rejectPlan } from './plans.ts';
import { endSession, sessionsPage } from './session-pages.ts';
import type { Operator } from './sessions.ts';
import { syncPage, syncsPage } from './syncs.ts';
import { tryPage, tryResult } from './try-out.ts';
import { type Act, type Answer, noteAddress, noteFrom, ownForm, queryOf, type Show, type Visit } from './visit.ts';
import { whyPage } from './why.ts';

const SHOWN: Readonly<Record<string, Show>> = {
  '/': overviewPage,
  '/people': peoplePage,
  '/people/:id': personPage,
  '/sessions': sessionsPage,
  '/plans': plansPage,
  '/plans/:id': planPage,
  '/syncs': syncsPage,
  '/syncs/:name': syncPage,
  '/drift': driftPage,
  '/audit': auditPage,
  '/activity': activityPage,
  '/why': whyPage,
  '/try': tryPage,
};

const ANSWERED: Readonly<Record<string, Answer>> = { '/try': tryResult, '/drift': driftResult };

const DONE: Readonly<Record<string, Act>> = {
  '/people/:id/disable': disablePerson,
  '/people/:id/enable': enablePerson,
  '/people/:id/end-sessions': endSessionsOf,
  '/people/:id/lift-pin': liftPinOf,
  '/sessions/end': endSession,
  '/plans/:id/approve': approvePlan,
  '/plans/:id/reject': rejectPlan,
  '/drift/repair': repairDrift,
  '/drift/adopt': adoptDrift,
};

/** Every address of the page and the methods that it takes, for tests of all of them. */
export const CONSOLE_ROUTES: readonly {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly acts: boolean;
}[] = [
  ...Object.keys(SHOWN).map((path) => ({ method: 'GET' as const, path, acts: false })),
  ...Object.keys(ANSWERED).map((path) => ({ method: 'POST' as const, path, acts: false })),
  ...Object.keys(DONE).map((path) => ({ method: 'POST' as const, path, acts: true })),
];

/**
 * The operators' page, to be mounted at the root of the admin listener behind what needs no login. Answers under the host
 * of `admin_url` alone: any other name that leads here is refused, whoever made it do so (DNS rebinding).
 */
export function createConsole(deps: ConsoleDeps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const { host } = new URL(deps.adminUrl);
  router.use((req, res, next) => {
    setOwnHeaders(res);
    if (req.headers.host?.toLowerCase() === host) return next();
    throw new LatchgateError('host_unknown', 'the operators’ page is at admin_url alone');
  });
  router.get('/login', (req, res) => {
    const { location, cookie } = deps.logins.begin(req.headers.cookie, queryOf(req).get('rd') ?? '/');
    res.append('Set-Cookie', cookie);
    sendRedirect(res, 302, location);
  });
  router.get('/login/finish', (req, res) => finishLogin(deps, req, res));
  router.get('/logged-out', (_req, res) => sendConsolePage(res, loggedOut(deps), {}));
  router.post('/logout', async (req, res) => {
    const operator = await known(deps, req, res);
    if (operator === undefined) return;
    await ownForm(req, res, deps, operator);
    res.append('Set-Cookie', await deps.sessions.end(req.headers.cookie));
    await deps.audit.append([
      { event: 'operator.logged_out', actor: operator.person, person: operator.person, requestId: requestIdOf(res) },
    ]);
    sendRedirect(res, 303, '/logged-out');
  });
  for (const [path, show] of Object.entries(SHOWN)) router.get(path, shows(deps, show));
  for (const [path, answer] of Object.entries(ANSWERED)) router.post(path, answers(deps, answer));
  for (const [path, act] of Object.entries(DONE)) router.post(path, acts(deps, act));
  router.use(async (req, res) => {
    if ((await known(deps, req, res)) !== undefined) throw new LatchgateError('not_found', 'no page of the operators');
  });
  router.use(onError(deps));
  return router;
}

function shows(deps: ConsoleDeps, show: Show): RequestHandler {
  return async (req, res) => {
    const operator = await known(deps, req, res);
    if (operator === undefined) return;
    await render(deps, res, await show(visitOf(deps, req, res, operator)), operator, queryOf(req));
  };
}

function answers(deps: ConsoleDeps, answer: Answer): RequestHandler {
  return async (req, res) => {
    const operator = await known(deps, req, res);
    if (operator === undefined) return;
    const form = await ownForm(req, res, deps, operator);
    await render(deps, res, await answer(visitOf(deps, req, res, operator), form), operator);
  };
}

function acts(deps: ConsoleDeps, act: Act): RequestHandler {
  return async (req, res) => {
    const operator = await known(deps, req, res);
    if (operator === undefined) return;
    const form = await ownForm(req, res, deps, operator);
    if (operator.role !== 'operator') throw new LatchgateError('operator_viewer', 'viewers do not act');
    const visit = visitOf(deps, req, res, operator);
    const done = await act(visit, form);
    deps.log.info('an operator acted', { requestId: visit.requestId, person: operator.person, action: req.route.path });
    if ('next' in done) sendRedirect(res, 303, noteAddress(done, visit.requestId));
    else await render(deps, res, done, operator);
  };
}

/** Undefined: it was answered. Who only looks is sent to the login; what they sent is never done after it. */
async function known(deps: ConsoleDeps, req: Request, res: Response): Promise<Operator | undefined> {
  const found = await deps.sessions.find(req.headers.cookie);
  if (typeof found === 'object') return found;
  if (found !== 'none') res.append('Set-Cookie', await deps.sessions.end(undefined));
  if (found === 'refused') throw new LatchgateError('operator_only', 'the role is gone');
  if (req.method !== 'GET' && req.method !== 'HEAD') throw new LatchgateError('login_required', 'no session');
  sendRedirect(res, 302, `/login?${new URLSearchParams({ rd: req.originalUrl })}`);
  return undefined;
}

async function finishLogin(deps: ConsoleDeps, req: Request, res: Response): Promise<void> {
  const [handle, ...more] = queryOf(req).getAll('handle');
  const left = more.length > 0 ? undefined : await deps.logins.finish(handle, req.headers.cookie);
  if (left === undefined) throw new LatchgateError('operator_login_invalid', 'the handle does not hold');
  const cookie = await deps.sessions.begin(left.gatewayId);
  const [pair] = cookie.split(';', 1);
  // Also who it is now: whoever lost everything on the way has no session.
  const operator = await deps.sessions.find(pair);
  if (typeof operator === 'string') throw new LatchgateError('operator_only', 'no role by now');
  const requestId = requestIdOf(res);
  const { person, role } = operator;
  await deps.audit.append([{ event: 'operator.logged_in', actor: person, person, after: { role }, requestId }]);
  // Another session of this browser, if it had one.
  await deps.sessions.end(req.headers.cookie);
  res.append('Set-Cookie', cookie);
  sendRedirect(res, 303, left.returnTo);
}

function visitOf(deps: ConsoleDeps, req: Request, res: Response, operator: Operator): Visit {
  return {
    deps,
    operator,
    requestId: requestIdOf(res),
    query: queryOf(req),
    part: (name) => String(req.params[name]),
  };
}

const MOST_PLANS = 200;

async function render(
  { directory }: ConsoleDeps,
  res: Response,
  page: Page,
  operator: Operator,
  query = new URLSearchParams(),
): Promise<void> {
  const plans = await directory.plans.list(MOST_PLANS);
  const waiting = plans.filter(({ state }) => state === 'held' || state === 'saved').length;
  const note = noteFrom(query);
  sendConsolePage(res, page, { operator, waiting, ...(note === undefined ? {} : { note }) });
}

function loggedOut({ publicUrl }: ConsoleDeps): Page {
  const body = html`<div class="actions"><a class="button" href="/login">Log in again</a><a class="quiet" href="${publicUrl}/.latchgate/logout">Log out of everything</a></div>`;
  const lead = html`Nobody is logged in here in this browser. Your session at ${new URL(publicUrl).host} goes on: with it you get back in without being asked.`;
  return { title: 'Logged out', lead, body };
}

function onError({ log }: ConsoleDeps): ErrorRequestHandler {
  return (thrown: unknown, _req, res, _next) => {
    const error =
      thrown instanceof URIError
        ? new LatchgateError('request_invalid', 'the address cannot be decoded')
        : toLatchgateError(thrown);
    const requestId = requestIdOf(res);
    if (error.status >= 500) log.error('a page for operators failed', { requestId, code: error.code, error });
    else if (error.status === 403) log.warn('refused at the operators’ page', { requestId, code: error.code });
    if (res.headersSent) return;
    const { title, text } = sentenceFor(error.code);
    const body = html`<section class="card"><dl><dt>Reason</dt><dd><code>${error.code}</code></dd><dt>Request</dt><dd><code>${requestId}</code></dd></dl></section><div class="actions"><a class="button" href="/">To the overview</a></div>`;
    sendConsolePage(res, { title, lead: html`${text}`, body, status: error.status }, {});
  };
}
