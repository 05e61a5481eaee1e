const ALONE = /(?:\.(?:ico|png|svg|css|js|txt|html|json|xml|woff2?)|\/(?:health[a-z]*|ping|ready[a-z]*|live[a-z]*))$/;

/**
 * The path of a route that lets through what a regular expression does: `^/static`, `^/static/.*`, `^/healthz$`. A route
 * is a path and all below it, whole segments: of an expression that goes on after `^/static` it opens less. One for a
 * single path is taken only where that ends like the name of a file or a check of health, below which there is nothing.
 * Undefined: it is anything else, and nothing is opened by it.
 */
export function publicPath(expression: string): string | undefined {
  const anchored = /^\^(\/.*)$/s.exec(expression)?.[1];
  if (anchored === undefined) return undefined;
  const below = /^(\/[^$]*?)\/(?:\.\*)?\$?$/.exec(anchored)?.[1] ?? /^(\/[^$]*?)\(\/\.\*\)\?\$$/.exec(anchored)?.[1];
  const whole = /^(\/[^$]*)\$$/.exec(anchored)?.[1];
  const isAlone = whole !== undefined && ALONE.test(whole);
  const start = /^(\/[^$]*[^$/])$/.exec(anchored)?.[1];
  const path = below ?? (isAlone ? whole : undefined) ?? start;
  const literal = path?.replaceAll(/\\([./_-])/g, '$1');
  const isLiteral = literal !== undefined && /^\/[\w./~@:-]+$/.test(literal) && !/(?<!\\)\.[*+?]/.test(path ?? '');
  // A dot that nothing escapes is any character: the route is narrower, which opens less.
  return isLiteral && !/\/(?:\/|\.{1,2}(?:\/|$))/.test(literal) ? literal : undefined;
}
