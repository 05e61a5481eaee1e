import { flag, record } from '../gooddata/check.ts';
import { bodyOf, type Call, noUser, Refusal, type Reply } from './exchange.ts';
import type { Route } from './routes.ts';
import { addressKey } from './state.ts';
import { CONNECTION_ID, EMAIL, wholeNumber, words } from './words.ts';

const TICKET = {
  client_id: words(255),
  connection_id: CONNECTION_ID,
  email: EMAIL,
  identity: record({ connection_id: CONNECTION_ID, provider: words(20, /^auth0$/), user_id: words(255) }, [
    'user_id',
    'provider',
  ]),
  includeEmailInRedirect: flag,
  mark_email_as_verified: flag,
  organization_id: words(50),
  result_url: words(2_000),
  ttl_sec: wholeNumber(0),
  user_id: words(255),
};

export const TICKET_ROUTES: readonly Route[] = [
  {
    method: 'POST',
    path: '/tickets/password-change',
    scopes: ['create:user_tickets'],
    body: true,
    handle: passwordTicket,
  },
];

/** A link by which a user sets a password, for a user id or for the address within a connection. */
function passwordTicket(call: Call): Reply {
  const { state } = call;
  const body = bodyOf<{ user_id?: string; email?: string; connection_id?: string }>(call, TICKET);
  const connection = [...state.connections.values()].find(({ id }) => id === body.connection_id);
  const byAddress = () => state.addresses.get(addressKey(connection?.name ?? '', body.email ?? ''));
  if (body.user_id === undefined && (body.email === undefined || body.connection_id === undefined)) {
    throw new Refusal(400, 'user_id or email and connection_id are required', 'invalid_body');
  }
  const user = state.users.get(body.user_id ?? byAddress() ?? '');
  if (!user) throw noUser();
  if (user.identities[0]?.provider !== 'auth0') {
    throw new Refusal(400, 'The user does not belong to a database connection.', 'operation_not_supported');
  }
  const ticket = `${call.url.origin}/u/reset-verify?ticket=${call.newId('ticket')}#`;
  state.tickets.push({ ticket, userId: user.user_id, body });
  return { status: 201, json: { ticket } };
}
