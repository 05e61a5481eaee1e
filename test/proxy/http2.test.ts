import { closeAll, startUpstream, valuesOf } from './harness.ts';
import { askHttp2, openHttp2, removeAuthority, startSecureWorld } from './secure-harness.ts';

afterEach(closeAll);
afterAll(removeAuthority);

describe('a request over HTTP/2', () => {
  it('arrives as one of HTTP/1.1 does', async () => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url });
    const session = openHttp2(world);
    const answer = await askHttp2(session, { ':path': '/x?y=1' });
    expect([answer.status, answer.body, answer.resetBy]).toEqual([200, 'hello', 0]);
    const [seen] = upstream.seen;
    expect([seen?.method, seen?.url]).toEqual(['GET', '/x?y=1']);
    expect(valuesOf(seen, 'X-Forwarded-User')).toEqual(['alice']);
    expect(valuesOf(seen, 'X-Forwarded-Proto')).toEqual(['https']);
    expect(valuesOf(seen, 'X-Forwarded-For')).toEqual(['127.0.0.1']);
  });
});
