import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OidcEmulator } from '../test/emulators/oidc/provider.ts';
import { GROUPS, GROUPS_CLAIM, PEOPLE } from './people.ts';

const BODY_LIMIT_BYTES = 4_096;

/** A page on which one changes who is in which group, as the administrator of the identity provider would. */
export async function startDirectoryPage(
  oidc: OidcEmulator,
  gatewayUrl: () => string,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((req, res) => {
    answer(oidc, gatewayUrl(), req, res).catch(() => {
      if (!res.headersSent) res.writeHead(400);
      res.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  oidc: OidcEmulator,
  gatewayUrl: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (req.method === 'POST') {
    const form = new URLSearchParams(await body(req));
    const sub = form.get('sub') ?? '';
    const claims = oidc.claimsOf(sub);
    if (claims === undefined) throw new Error('nobody of that name');
    oidc.setClaims(sub, { ...claims, [GROUPS_CLAIM]: GROUPS.filter((group) => form.getAll('group').includes(group)) });
    res.writeHead(303, { Location: `/?saved=${encodeURIComponent(sub)}` }).end();
    return;
  }
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
  res.end(page(oidc, gatewayUrl, new URL(req.url ?? '/', gatewayUrl).searchParams.get('saved')));
}

async function body(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of req) {
    text += String(chunk);
    if (text.length > BODY_LIMIT_BYTES) throw new Error('too long');
  }
  return text;
}

function page(oidc: OidcEmulator, gatewayUrl: string, saved: string | null): string {
  const forms = PEOPLE.map(({ sub, label }) => {
    const has = (oidc.claimsOf(sub)?.[GROUPS_CLAIM] ?? []) as readonly string[];
    const boxes = GROUPS.map(
      (group) =>
        `<label><input type="checkbox" name="group" value="${group}"${has.includes(group) ? ' checked' : ''}> ${group}</label>`,
    );
    return `<form method="post"><input type="hidden" name="sub" value="${sub}"><b>${label ?? sub}</b>${boxes.join('')}<span role="status">${sub === saved ? 'Saved' : ''}</span><button>Save</button></form>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Acme's directory</title><style>
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}
form{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center;padding:.75rem 0;border-top:1px solid #8884}b{min-width:8rem}
span{margin-left:auto;opacity:.7}button{font:inherit;padding:.25rem 1rem}</style></head><body><h1>Acme's directory</h1>
<p>Who is in which group. Save a change, then log in again <a href="${gatewayUrl}/.latchgate/logout">at the gateway</a>: only what the gateway itself gave moves.</p>${forms.join('')}</body></html>`;
}
