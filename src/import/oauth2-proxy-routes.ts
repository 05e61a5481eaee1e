import { memberOf, plainFlag, plainText } from './literals.ts';
import type { ProxyFile } from './oauth2-proxy-file.ts';
import { publicPath } from './public-paths.ts';

export const TARGET = 'superset';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Upstreams and what needs no login, as targets and routes. */
export class ProxyRoutes {
  /** Filled by `routes`. */
  readonly targets: Record<string, unknown> = {};
  readonly #file: ProxyFile;

  constructor(file: ProxyFile) {
    this.#file = file;
  }

  routes(): readonly unknown[] {
    const routes: { path: string; to: string; public?: true; methods?: string[] }[] = [];
    for (const { path, url, name } of this.#upstreams()) {
      if (routes.some((route) => route.path === path)) {
        this.#file.migration.todo(`${name}: a second upstream for ${path} was left out.`);
        continue;
      }
      routes.push({ path, to: this.#target(url) });
      this.#file.migration.carried(name, `routes, path ${path}, and its target`);
    }
    if (routes.length === 0) {
      this.targets[TARGET] = { type: 'superset', url: '${SUPERSET_URL:-http://superset:8088}' };
      routes.push({ path: '/', to: TARGET });
      this.#file.migration.todo('targets.superset.url: the file has no upstream that can be one.');
    }
    return [...this.#publicRoutes(routes.map(({ path, to }) => ({ path, to }))), ...routes];
  }

  #target(url: string): string {
    const known = Object.entries(this.targets).find(([, target]) => (target as { url: string }).url === url)?.[0];
    if (known !== undefined) return known;
    const count = Object.keys(this.targets).length;
    const name = count === 0 ? TARGET : `${TARGET}-${count + 1}`;
    this.targets[name] = { type: 'superset', url };
    return name;
  }

  #upstreams(): readonly { readonly path: string; readonly url: string; readonly name: string }[] {
    const alpha = this.#file.options.find(({ name }) => name === 'upstreamConfig')?.value;
    const list = memberOf(alpha, 'upstreams');
    const ofAlpha = list?.kind === 'list' ? list.items : [];
    const found = ofAlpha.map((item, index) => {
      const rewritten = memberOf(item, 'rewriteTarget') !== undefined || plainFlag(memberOf(item, 'static')) === true;
      const base = `upstreamConfig.upstreams[${index}]`;
      return {
        path: plainText(memberOf(item, 'path')),
        uri: rewritten ? undefined : plainText(memberOf(item, 'uri')),
        name: base,
      };
    });
    const plain = this.#file.texts('upstreams').map((uri) => ({ path: undefined, uri, name: 'upstreams' }));
    return [...found, ...plain].flatMap(({ path, uri, name }) => {
      const url = uri !== undefined && URL.canParse(uri) ? new URL(uri) : undefined;
      const at = path ?? (url === undefined ? '/' : url.pathname);
      const isFit =
        url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && /^\/[^?#\s\\;%^()*]*$/.test(at);
      if (isFit) return [{ path: at === '/' ? '/' : at.replace(/\/+$/, ''), url: url.origin, name }];
      const why =
        'an upstream that is a file, an answer, a rewriting or a pattern has no counterpart: let a web server do it';
      // Of a list in one option others may be carried; the rest of the address may hold a password.
      if (name === 'upstreams')
        this.#file.migration.todo(`upstreams, ${url?.protocol ?? ''}//…${url?.pathname ?? ''}: ${why}`);
      else this.#file.migration.left(name, why);
      return [];
    });
  }

  /** Routes without a login: prefixes of paths alone. */
  #publicRoutes(served: readonly { readonly path: string; readonly to: string }[]): readonly unknown[] {
    const found: { readonly path: string; readonly method: string | undefined }[] = [];
    for (const [name, written] of ['skip_auth_routes', 'skip_auth_regex'].flatMap((one) =>
      this.#file.texts(one).map((text) => [one, text] as const),
    )) {
      const match = /^(?:([A-Z]+)(!?)=)?(.*)$/s.exec(written);
      const [, method, negated, pattern = ''] = match ?? [];
      const path = negated === '!' ? undefined : publicPath(pattern);
      if (path === undefined)
        this.#file.migration.todo(
          `${name}: ${safe(written)}: an expression that is no prefix of paths was left out; those requests need a login.`,
        );
      else found.push({ path, method });
    }
    for (const name of ['skip_auth_routes', 'skip_auth_regex'])
      this.#file.migration.carried(
        name,
        'routes with `public: true`, as far as they are prefixes of paths: see what is to do',
      );
    const byPath = new Map<string, Set<string | undefined>>();
    for (const { path, method } of found) byPath.set(path, (byPath.get(path) ?? new Set()).add(method));
    return [...byPath].flatMap(([path, methods]) => {
      const to =
        [...served]
          .sort((a, b) => b.path.length - a.path.length)
          .find((one) => one.path === '/' || path === one.path || path.startsWith(`${one.path}/`))?.to ?? served[0]?.to;
      const isAll = methods.has(undefined);
      const listed = [...methods].filter((method) => method !== undefined);
      const open = { path, to, public: true, ...(isAll ? {} : { methods: listed }) };
      if (isAll || served.some((one) => one.path === path)) return [open];
      // Other methods of the path still need a login.
      return [
        open,
        {
          path,
          to,
          methods: METHODS.filter(
            (method) => !listed.includes(method) && !(method === 'HEAD' && listed.includes('GET')),
          ),
        },
      ];
    });
  }
}

/** An expression in a comment. */
function safe(text: string): string {
  return text.slice(0, 100);
}
