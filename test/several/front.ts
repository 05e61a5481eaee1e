import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answers, startChild, waitUntil } from '../services/child.ts';

const NGINX = '/usr/sbin/nginx';
const READY_TIMEOUT_MS = 20_000;
const READY_PATH = '/nginx-is-up';

export interface Front {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * nginx in front of several gateways as docs/operations.md shows it: one that cannot be connected to is passed over, a
 * request of which an instance has seen nothing, or that may be sent twice, goes to another one.
 */
export async function startFront(port: number, gateways: readonly { readonly port: number }[]): Promise<Front> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-nginx-'));
  mkdirSync(join(folder, 'temp'));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(folder, port, gateways));
  // Its workers do not end with a killed master: signals go to the whole group.
  const child = startChild('nginx', [NGINX, '-p', folder, '-e', 'stderr', '-c', file], { group: true });
  const url = `http://127.0.0.1:${port}`;
  await waitUntil(child, READY_TIMEOUT_MS, () => answers(`${url}${READY_PATH}`));
  return {
    url,
    stop: async () => {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, port: number, gateways: readonly { readonly port: number }[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`,
  );
  const servers = gateways.map((gateway) => `server 127.0.0.1:${gateway.port} max_fails=0;`);
  return `daemon off; worker_processes 1; pid ${join(folder, 'nginx.pid')}; error_log stderr crit;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 2048; }
http {
  access_log off; keepalive_requests 100000000; ${temporary.join(' ')}
  upstream latchgate { ${servers.join(' ')} keepalive 32; }
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    location = ${READY_PATH} { return 200; }
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
  }
}
`;
}
