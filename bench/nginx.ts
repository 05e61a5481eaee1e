import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startChild } from '../test/services/child.ts';
import { type Setup, waitForAnswer } from './setups.ts';

export const NGINX = '/usr/sbin/nginx';

/** Files of the upstream, by path, and their size in bytes. */
export const FILES = { '1k': { path: '/1k.txt', bytes: 1_024 }, '64k': { path: '/64k.txt', bytes: 65_536 } } as const;

/** Where the upstream takes WebSockets. */
export const SOCKET_PATH = '/socket';

/** Static files, the backend's accounts API under /api, WebSockets: what the gateways stand in front of. */
export function startUpstream(folder: string, apiUrl: string, socketsUrl: string): Promise<Setup> {
  const www = join(folder, 'www');
  mkdirSync(www, { mode: 0o755 });
  for (const { path, bytes } of Object.values(FILES)) writeFileSync(join(www, path), 'x'.repeat(bytes));
  return startNginx('upstream', folder, {
    http: 'sendfile on; tcp_nopush on; open_file_cache max=100;',
    server: `root ${www}; location /api/ { proxy_pass ${apiUrl}; proxy_set_header Host $http_host; proxy_redirect off; }
      location = ${SOCKET_PATH} { proxy_pass ${socketsUrl}; proxy_http_version 1.1; proxy_read_timeout 1h;
        proxy_set_header Connection upgrade; proxy_set_header Upgrade websocket; }`,
    connections: 32_768,
  });
}

/** The limit of what a proxy can do: no login, no session, nothing but forwarding over kept-alive connections. */
export function startPlainProxy(folder: string, upstreamUrl: string): Promise<Setup> {
  return startNginx('nginx', folder, {
    http: `upstream files { server ${new URL(upstreamUrl).host}; keepalive 64; keepalive_requests 100000000; }`,
    server: 'location / { proxy_pass http://files; proxy_http_version 1.1; proxy_set_header Connection ""; }',
  });
}

async function startNginx(
  name: string,
  parent: string,
  parts: { http: string; server: string; connections?: number },
): Promise<Setup> {
  const folder = join(parent, name);
  mkdirSync(folder, { mode: 0o755 });
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, kind)};`,
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${join(folder, 'nginx.pid')}; error_log stderr error;
events { worker_connections ${parts.connections ?? 1_024}; }
http {
  access_log off; default_type text/plain; keepalive_requests 100000000; ${temporary.join(' ')}
  ${parts.http}
  server { listen 127.0.0.1:${port}; ${parts.server} }
}
`,
  );
  // Workers do not end with a killed master: signals go to the whole group.
  const child = startChild(name, [NGINX, '-p', folder, '-e', 'stderr', '-c', file], { group: true });
  const url = `http://127.0.0.1:${port}`;
  await waitForAnswer(child, `${url}/`);
  return { name: name === 'nginx' ? 'nginx plain' : name, url, child };
}
