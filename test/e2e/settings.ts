import type { RunningKeycloak } from '../services/keycloak.ts';

/** The first half of a latchgate.yaml: everything but rules, targets and routes. `publicUrl` has the port to listen on. */
export function settings(
  publicUrl: string,
  login: { name: string; issuer: string; id: string; secret: string },
): string {
  return `
version: 1
public_url: ${publicUrl}
listen: 127.0.0.1:${new URL(publicUrl).port}
admin_listen: 127.0.0.1:0
state: { database: "sqlite:./state/latchgate.db" }
session: { secrets: [the journey keeps no secret from anybody] }
login:
  ${login.name}:
    issuer: ${login.issuer}
    client_id: ${login.id}
    client_secret: ${login.secret}
    email_domains: [acme.test]
`;
}

export function keycloakLogin({ issuer, client }: RunningKeycloak): Parameters<typeof settings>[1] {
  return { name: 'keycloak', issuer, ...client };
}
