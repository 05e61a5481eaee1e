import { html, type Markup } from '../login/html.ts';
import { show } from '../mapping/visible.ts';
import type { AttributeValue, Decision, DesiredAccount } from '../model/desired.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { Page } from './page.ts';
import { card, code, facts, said, table, tag, textLines } from './parts.ts';
import { traceView } from './trace.ts';
import type { Answer, Show, Visit } from './visit.ts';

/** `/try`: paste claims, see what the mapping makes of them. Nothing is written or remembered. */
export const tryPage: Show = async (visit) => page(visit, { origin: visit.query.get('origin') ?? '', claims: '' });

export const tryResult: Answer = async (visit, form) => {
  const origin = form.get('origin') ?? '';
  const claims = form.get('claims') ?? '';
  const asked = { origin, claims };
  if (!visit.deps.tryOut.origins.includes(origin)) return page(visit, asked, wrong('Choose a login.'), 400);
  const parsed = parseClaims(claims);
  if (typeof parsed === 'string') return page(visit, asked, wrong(parsed), 400);
  try {
    return page(visit, asked, result(visit.deps.tryOut.decide(origin, parsed)));
  } catch (thrown) {
    // Whatever it is, its text could hold claims.
    return page(visit, asked, wrong(`These claims cannot be mapped (${toLatchgateError(thrown).code}).`), 400);
  }
};

function page(
  { deps, operator }: Visit,
  asked: { readonly origin: string; readonly claims: string },
  answer?: Markup,
  status = 200,
): Page {
  const options = deps.tryOut.origins.map(
    (name) => html`<option value="${name}"${name === asked.origin ? html` selected` : undefined}>${name}</option>`,
  );
  const form = html`<form class="search" method="post" action="/try"><input type="hidden" name="token" value="${operator.formToken}">
<div class="field"><label for="origin">Login</label><select id="origin" name="origin">${options}</select></div>
<div class="field wide"><label for="claims">Claims, as one JSON object</label><textarea id="claims" name="claims" spellcheck="false" autocomplete="off" required>${textLines(asked.claims)}</textarea></div>
<button class="button" type="submit">Try</button></form>`;
  const lead = html`What somebody with these claims would get, and why. Nothing is written, logged or kept, no target is asked, and nobody verifies the claims.`;
  const body = html`${answer}${card('Claims', form)}`;
  return { section: 'try', title: 'Try the mapping', lead, body, status };
}

function wrong(text: string): Markup {
  return html`<p class="note stop" role="alert">${text}</p>`;
}

function parseClaims(text: string): Readonly<Record<string, unknown>> | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'The claims are not JSON.';
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return 'The claims are not one JSON object.';
}

function result(decision: Decision): Markup {
  const { code: why, message } = decision;
  const allowed = decision.decision === 'allow';
  return html`<section class="card" aria-label="Result"><h2>${allowed ? 'Gets in' : 'Does not get in'} ${tag(decision.decision, allowed ? 'done' : 'stop')}</h2>
${facts([
  ['Reason', why === undefined ? undefined : code(why)],
  ['The person reads', message === undefined ? undefined : said(message)],
  ['Groups', html`${decision.groups.length === 0 ? 'none' : decision.groups.map(show).join(', ')}`],
])}</section>
${[...decision.accounts].map(([target, account]) => accountCard(target, account))}
${decision.accounts.size === 0 ? card('Accounts', html`<p class="soft">Nothing is given in any target.</p>`) : undefined}
${card('Attributes', attributes(decision))}
${traceView(decision.trace)}`;
}

function accountCard(target: string, account: DesiredAccount): Markup {
  const rows = account.entitlements.map((given) => [code(entitlementKey(given)), said(given.rule), said(given.origin)]);
  const profile = Object.entries(account.profileIfNew).map(
    ([name, value]) => [name, value === null ? html`cleared` : said(value ?? '')] as const,
  );
  const title = `Account in ${target}`;
  return card(
    title,
    html`${facts([
      ['User name', said(account.userNames[0] ?? 'none of its claims was sent')],
      ['External id', code(account.externalId)],
      ...profile,
    ])}<h3>Given</h3>${table(title, ['What', 'By rule', 'Because of'], rows, 'No entitlements.')}`,
  );
}

function attributes({ trace, attributes: values }: Decision): Markup {
  const rows = (trace.origins[0]?.attributes ?? []).map(({ name, claim, by }) => [
    said(name),
    by === 'absent' ? html`<span class="soft">not sent</span>` : said(valueText(values[name])),
    claim === null ? undefined : html`${code(claim)}${by === 'path' ? ' as a path' : ''}`,
  ]);
  return table('Attributes', ['Attribute', 'Value', 'From the claim'], rows, 'None.');
}

function valueText(value: AttributeValue | undefined): string {
  if (value === undefined) return 'refused';
  if (value === null) return 'empty';
  return typeof value === 'object' ? value.join(', ') : String(value);
}
