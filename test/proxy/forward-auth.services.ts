import { findCaddy, startCaddy } from '../services/caddy.ts';
import { startNginx } from '../services/nginx.ts';
import { behavesBehind } from './forward-auth-behaviour.ts';
import { configOfDocs } from './forward-auth-stage.ts';

describe('behind nginx with the configuration of the docs', () => {
  behavesBehind({
    start: async ({ application }, port, gateway) => {
      const http = configOfDocs('nginx', 'auth_request', [
        ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
        ['127.0.0.1:4180', gateway],
        ['127.0.0.1:8088', new URL(application.url).host],
      ]);
      return startNginx({ http, port });
    },
    dropsOddNames: true,
    unavailable: 503,
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
