import type { OidcEmulator } from '../emulators/oidc/provider.ts';
import { CLIENT_ID } from './company.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** The provider says to the gateway that a login is over: of `sub`, or of its session `sid`. Throws when it is not taken. */
export async function tellLogout(
  { url, idp }: { readonly url: string; readonly idp: OidcEmulator },
  about: Readonly<Record<string, unknown>>,
): Promise<void> {
  const iat = Math.floor(Date.now() / 1_000);
  const usual = { iss: idp.issuer, aud: CLIENT_ID, iat, exp: iat + 120, jti: `j${Math.random()}` };
  const token = await idp.sign({ ...usual, events: { [EVENT]: {} }, ...about }, { typ: 'logout+jwt' });
  const body = new URLSearchParams({ logout_token: token });
  const answer = await fetch(`${url}/.latchgate/backchannel-logout/acme`, { method: 'POST', body });
  if (answer.status !== 200) throw new Error(`the logout token was answered ${answer.status}: ${await answer.text()}`);
}
