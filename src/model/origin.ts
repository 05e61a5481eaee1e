/** How every issuer below begins, and no provider’s may. */
export const OWN_ISSUERS = 'latchgate:';

/** Issuer of the ids by which a source of its own people lists them. */
export function sourceIssuer(source: string): string {
  return `${OWN_ISSUERS}source:${source}`;
}

/** Issuer of the ids that SCIM users of a client have here, where the client speaks of no login's people. */
export function scimIssuer(client: string): string {
  return `${OWN_ISSUERS}scim:${client}`;
}

/** Issuer of the `externalId` of SCIM users of their own whom a client deleted: it may make them again. */
export function formerIssuer(client: string): string {
  return `${OWN_ISSUERS}scim-former:${client}`;
}

/** Issuer of the `external_id` of a login's people, by which sources list them. */
export function aliasIssuer(login: string): string {
  return `${OWN_ISSUERS}external:${login}`;
}

/** The origin of a host of `routes`: its scheme, and its port unless the name has one, are those of `publicUrl`. */
export function originOfHost(publicUrl: string, name: string | undefined): string {
  const { protocol, port, origin } = new URL(publicUrl);
  if (name === undefined) return origin;
  const hasPort = /:\d+$/.test(name.replace(/^\[.*\]/, ''));
  return new URL(`${protocol}//${name}${hasPort || port === '' ? '' : `:${port}`}`).origin;
}
