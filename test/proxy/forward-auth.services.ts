import { startTokenIssuer, type TokenIssuer } from '../emulators/token-issuer.ts';
import { CLIENT_ID } from '../journey/company.ts';
import { findCaddy, startCaddy } from '../services/caddy.ts';
import { type RunningNginx, startNginx } from '../services/nginx.ts';
import { behavesBehind } from './forward-auth-behaviour.ts';
import { configOfDocs, cookieOf, raw, type Stage, startStage, statusOf } from './forward-auth-stage.ts';

function nginxOfDocs({ application }: Stage, port: number, gateway: string): Promise<RunningNginx> {
  const http = configOfDocs('nginx', 'auth_request', [
    ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
    ['127.0.0.1:4180', gateway],
    ['127.0.0.1:8088', new URL(application.url).host],
  ]);
  return startNginx({ http, port });
}

describe('behind nginx with the configuration of the docs', () => {
  behavesBehind({
    start: nginxOfDocs,
    dropsOddNames: true,
    unavailable: 503,
  });
});

describe('behind an nginx that carries everything to the gateway and closes nothing', () => {
  let stage: Stage;
  let nginx: RunningNginx;

  beforeAll(async () => {
    stage = await startStage();
    const http = `server {
      listen 127.0.0.1:${stage.port};
      location / { proxy_pass http://${stage.gateway}; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; }
    }`;
    nginx = await startNginx({ http, port: stage.port });
  });
  afterAll(async () => {
    await nginx?.stop();
    await stage?.close();
  });

  it.each(['/.latchgate/auth', '/.latchgate/auth?redirect=1', '/.latchgate/auth/envoy/x'])(
    'a page that asks by itself reads no token and no cookie: %s',
    async (path) => {
      const cookie = `Cookie: ${await cookieOf(stage.journey, 'ann')}; of-the-backend=http-only`;
      const { host } = new URL(stage.journey.url);
      const original = path.includes('envoy') ? [] : ['X-Original-URI: /x', 'X-Original-Method: GET'];
      const headers = [`Host: ${host}`, 'Connection: close', cookie, ...original];
      const answer = await raw(stage.port, [`GET ${path} HTTP/1.1`, ...headers]);
      expect([200, 202]).toContain(statusOf(answer));
      expect(answer).toMatch(/^x-forwarded-user: *ann\r$/im);
      expect(answer).not.toContain('http-only');
    },
  );
});

describe('an API client behind nginx', () => {
  let issuer: TokenIssuer;
  let stage: Stage;
  let nginx: RunningNginx;

  beforeAll(async () => {
    issuer = await startTokenIssuer();
    const login = `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${CLIENT_ID}
    client_secret: a secret that only tests know
    bearer: { audience: [latchgate-api] }`;
    stage = await startStage({ issuer: issuer.issuer, sections: { login } });
    nginx = await nginxOfDocs(stage, stage.port, stage.gateway);
  });
  afterAll(async () => {
    await nginx?.stop();
    await stage?.close();
    await issuer?.close();
  });

  const call = (token: string) => {
    const { host } = new URL(stage.journey.url);
    const headers = [`Host: ${host}`, 'Connection: close', `Authorization: Bearer ${token}`];
    return raw(stage.port, ['GET /api HTTP/1.1', ...headers]);
  };

  it('gets through by its token, which the application does not see', async () => {
    const profile = { given_name: 'R', family_name: 'B', email: 'robot@acme.test', email_verified: true };
    const token = issuer.token({ preferred_username: 'robot', ...profile });
    expect(statusOf(await call(token))).toBe(200);
    expect(stage.application.values('X-Forwarded-User')).toEqual(['robot']);
    expect(stage.application.values('Authorization')).toEqual([]);
    expect(JSON.stringify(stage.application.seen)).not.toContain(token);
  });

  it('is told what is wrong with its token', async () => {
    const answer = await call(issuer.token({}, {}, 'wrong-key'));
    expect(statusOf(answer)).toBe(401);
    expect(answer).toMatch(/^www-authenticate: Bearer error="invalid_token"\r$/im);
    expect(answer).toContain('"error":"invalid_token"');
  });
});

const caddy = findCaddy();
const describeCaddy = caddy === undefined ? describe.skip : describe;

// Debian has one that can be asked for by name, but not everybody who runs these tests has it.
describeCaddy('behind Caddy with the configuration of the docs', () => {
  behavesBehind({
    start: async ({ application }, port, gateway) => {
      const caddyfile = configOfDocs('caddyfile', 'forward_auth', [
        ['bi.example.com {', `http://127.0.0.1:${port} {\n\tbind 127.0.0.1`],
        ['127.0.0.1:4180', gateway],
        ['127.0.0.1:8088', new URL(application.url).host],
      ]);
      return startCaddy(caddy ?? '', { caddyfile, port });
    },
    dropsOddNames: false,
    unavailable: 502,
  });
});
