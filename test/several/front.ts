import { shownConfig } from '../markdown.ts';
import { type RunningNginx, startNginx } from '../services/nginx.ts';

/** nginx in front of several gateways, with the configuration that docs/operations.md shows. */
export function startFront(port: number, gateways: readonly { readonly port: number }[]): Promise<RunningNginx> {
  const servers = gateways.map((gateway) => `server 127.0.0.1:${gateway.port} max_fails=0;`);
  const http = shownConfig('docs/operations.md', 'nginx', 'upstream latchgate', [
    ['server 127.0.0.1:4180 max_fails=0;', servers.join(' ')],
    ['listen 443 ssl;', `listen 127.0.0.1:${port};`],
    // The name has a port here.
    ['Host $host;', 'Host $http_host;'],
  ]);
  return startNginx({ http, port });
}
