import { run } from './child.ts';

export type Account = { readonly name: string; readonly uid: number; readonly gid: number };

/** Databases refuse to run as root: then Debian's own account of that name, or nobody. Undefined when we are not root. */
export async function serverAccount(own: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of [own, 'nobody']) {
    try {
      const uid = Number(await run('id', ['id', '-u', name], { timeoutMs: 5_000 }));
      const gid = Number(await run('id', ['id', '-g', name], { timeoutMs: 5_000 }));
      return { name, uid, gid };
    } catch {
      // No such account; try the next.
    }
  }
  throw new Error(`a database does not run as root, and there is neither an account ${own} nor nobody`);
}
