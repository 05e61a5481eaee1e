/** The origin of a host of `routes`: its scheme, and its port unless the name has one, are those of `publicUrl`. */
export function originOfHost(publicUrl: string, name: string | undefined): string {
  const { protocol, port, origin } = new URL(publicUrl);
  if (name === undefined) return origin;
  const hasPort = /:\d+$/.test(name.replace(/^\[.*\]/, ''));
  return new URL(`${protocol}//${name}${hasPort || port === '' ? '' : `:${port}`}`).origin;
}
