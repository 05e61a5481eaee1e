import { type RunningNginx, startNginx } from '../services/nginx.ts';

/**
 * nginx in front of several gateways as docs/deploy.md shows it: one that cannot be connected to is passed over, and a
 * request of which an instance has seen nothing, or that may be sent twice, goes to another one.
 */
export function startFront(port: number, gateways: readonly { readonly port: number }[]): Promise<RunningNginx> {
  const servers = gateways.map((gateway) => `server 127.0.0.1:${gateway.port} max_fails=0;`);
  return startNginx({
    port,
    http: `
  upstream latchgate { ${servers.join(' ')} keepalive 32; }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location / {
      proxy_pass http://latchgate;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_connect_timeout 2s;
      proxy_read_timeout 3600s;
      proxy_buffering off;
    }
  }`,
  });
}
