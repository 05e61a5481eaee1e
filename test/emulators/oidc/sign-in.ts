/**
 * Goes through the emulator's pages as a browser would: from the authorization address to the redirect back, which is
 * returned and not followed. Without `sub` the person cancels.
 */
export async function signInAt(address: URL, sub: string | undefined, jar = new Map<string, string>()): Promise<URL> {
  let at = address;
  for (let step = 0; step < 10; step += 1) {
    if (at.origin !== address.origin) return at;
    let answer = await ask(at, jar);
    if (answer.status === 200 && at.pathname.startsWith('/interaction/')) {
      const body = new URLSearchParams(sub === undefined ? { cancel: 'yes' } : { sub });
      answer = await ask(at, jar, body);
    }
    const location = answer.headers.get('location');
    if (location === null)
      throw new Error(`the emulator answered ${answer.status} at ${at.pathname}: ${await answer.text()}`);
    at = new URL(location, at);
  }
  throw new Error('the emulator redirects for ever');
}

async function ask(address: URL, jar: Map<string, string>, body?: URLSearchParams): Promise<Response> {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
  const answer = await fetch(address, {
    redirect: 'manual',
    headers: { cookie },
    ...(body === undefined ? {} : { method: 'POST', body }),
  });
  for (const line of answer.headers.getSetCookie()) {
    const [pair = ''] = line.split(';');
    jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
  }
  return answer;
}
