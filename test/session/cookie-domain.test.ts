import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { createSessionCookies } from '../../src/session/cookie.ts';
import type { SessionStore } from '../../src/session/store.ts';

const SECRET = 'a secret of at least thirty-two characters';
const store = { load: () => undefined } as unknown as SessionStore;
const clock = { now: () => 1_800_000_000_000 };

function cookies(publicUrl: string, domain?: string) {
  const config = { idle: 3_600_000, cookie_domain: domain };
  return createSessionCookies({ publicUrl, secrets: [SECRET], store, config, clock });
}

function written(write: (res: ServerResponse) => void): string[] {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  write(res);
  return (res.getHeader('Set-Cookie') ?? []) as string[];
}

describe('a cookie that several hosts share', () => {
  it('says so in its name and has their domain', () => {
    const shared = cookies('https://bi.example.com', 'example.com');
    expect(shared.name).toBe('__Secure-latchgate');
    expect(shared.attributes).toEqual({
      httpOnly: true,
      secure: true,
      sameSite: 'lax',
      path: '/',
      domain: 'example.com',
    });
    expect(cookies('http://bi.localhost:4180', 'bi.localhost').name).toBe('latchgate');
  });

  it('is taken away from all of them', () => {
    const gone = written((res) => cookies('https://bi.example.com', 'example.com').clear(res));
    expect(gone).toEqual([
      '__Secure-latchgate=; Domain=example.com; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure',
    ]);
  });

  it('is not the one that a host has for itself: each deployment reads its own name', () => {
    const id = 'A'.repeat(43);
    const shared = cookies('https://bi.example.com', 'example.com');
    const own = cookies('https://bi.example.com');
    expect(shared.read(shared.pair(id))).toBe(id);
    expect(shared.read(own.pair(id))).toBeUndefined();
    expect(own.read(shared.pair(id))).toBeUndefined();
    expect(shared.read(`${own.pair(id)}; ${shared.pair(id)}`)).toBe(id);
    expect(shared.names).toEqual(expect.arrayContaining([own.name, shared.name]));
  });
});

describe('two cookies of our name', () => {
  const two = '__Secure-latchgate=a; x=y; __Secure-latchgate=b';

  it('are both taken away, whatever domain of the host they are of', () => {
    const lines = written((res) => cookies('https://bi.dept.example.com', 'dept.example.com').clearStrays(two, res));
    const rest = 'Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure';
    expect(lines).toEqual([
      `__Secure-latchgate=; ${rest}`,
      ...['bi.dept.example.com', 'dept.example.com', 'example.com'].map(
        (domain) => `__Secure-latchgate=; Domain=${domain}; ${rest}`,
      ),
    ]);
  });

  it('are left alone while there is one, or when they are not ours', () => {
    const shared = cookies('https://bi.example.com', 'example.com');
    for (const header of [undefined, '', '__Secure-latchgate=a', 'latchgate=a; latchgate=b']) {
      expect(written((res) => shared.clearStrays(header, res))).toEqual([]);
    }
  });

  it('have no domain on a host that is an address', () => {
    const lines = written((res) => cookies('http://127.0.0.1:4180').clearStrays('latchgate=a; latchgate=b', res));
    expect(lines).toEqual(['latchgate=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax']);
  });
});
