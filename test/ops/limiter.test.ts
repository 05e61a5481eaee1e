import { createLimiter, createLimiters, type LimitedAnswer, type Limiter } from '../../src/ops/limiter.ts';

const START = Date.UTC(2026, 0, 1);

/** Time that passes only when it is told to; what was due meanwhile runs in its order. */
class FakeTime {
  ms = START;
  private due: { readonly at: number; readonly work: () => void }[] = [];

  readonly clock = { now: () => this.ms };

  readonly after = (ms: number, work: () => void): (() => void) => {
    const entry = { at: this.ms + ms, work };
    this.due.push(entry);
    return () => {
      this.due = this.due.filter((one) => one !== entry);
    };
  };

  /** Milliseconds until the next work. */
  get next(): number | undefined {
    const [first] = [...this.due].sort((a, b) => a.at - b.at);
    return first === undefined ? undefined : first.at - this.ms;
  }

  async pass(ms: number): Promise<void> {
    const end = this.ms + ms;
    for (;;) {
      await settle();
      const [first] = [...this.due].sort((a, b) => a.at - b.at);
      if (first === undefined || first.at > end) break;
      this.due = this.due.filter((one) => one !== first);
      this.ms = Math.max(this.ms, first.at);
      first.work();
    }
    this.ms = end;
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** A token bucket as Auth0 keeps it: `perSecond` tokens at each full second, at most `burst`. */
class Bucket {
  readonly answers: number[] = [];
  private readonly time: FakeTime;
  private readonly perSecond: number;
  private readonly burst: number;
  private readonly withHeaders: boolean;
  private tokens: number;
  private filledAt = Math.floor(START / 1_000);

  constructor(time: FakeTime, perSecond: number, burst: number, withHeaders = true) {
    this.time = time;
    this.perSecond = perSecond;
    this.burst = burst;
    this.withHeaders = withHeaders;
    this.tokens = burst;
  }

  /** One call, by us or by somebody else. */
  call(): LimitedAnswer {
    const second = Math.floor(this.time.ms / 1_000);
    this.tokens = Math.min(this.burst, this.tokens + (second - this.filledAt) * this.perSecond);
    this.filledAt = second;
    const isRefused = this.tokens < 1;
    if (!isRefused) this.tokens -= 1;
    const headers: Record<string, string> = this.withHeaders
      ? {
          'x-ratelimit-limit': String(this.burst),
          'x-ratelimit-remaining': String(this.tokens),
          'x-ratelimit-reset': String(second + 1),
        }
      : isRefused
        ? { 'retry-after': '1' }
        : {};
    return { status: isRefused ? 429 : 200, headers };
  }

  receive(): LimitedAnswer {
    const answer = this.call();
    this.answers.push(answer.status);
    return answer;
  }

  get twiceInARow(): boolean {
    return this.answers.some((status, at) => status === 429 && this.answers[at + 1] === 429);
  }
}

function limiterOn(time: FakeTime, random = 0.5): Limiter {
  return createLimiter({ clock: time.clock, after: time.after, random: () => random });
}

const patience = () => new AbortController().signal;

/** Sends `calls` at once, each again until it is taken; an answer takes `tookMs`. Returns how many are done. */
function sendAll(time: FakeTime, limiter: Limiter, bucket: Bucket, calls: number, tookMs = 30): () => number {
  let done = 0;
  const one = async () => {
    for (;;) {
      const turn = await limiter.turn(patience());
      const answer = bucket.receive();
      await new Promise<void>((resolve) => void time.after(tookMs, resolve));
      turn.done(answer);
      if (answer.status !== 429) break;
    }
    done += 1;
  };
  for (let call = 0; call < calls; call += 1) void one();
  return () => done;
}

describe('a limiter', () => {
  it.each([
    [2, 2],
    [16, 50],
    [2, 10],
  ])('never meets a limit that the service counts down: %i a second, %i at once', async (perSecond, burst) => {
    const time = new FakeTime();
    const bucket = new Bucket(time, perSecond, burst);
    const calls = burst + perSecond * 20;
    const done = sendAll(time, limiterOn(time), bucket, calls);
    await time.pass(60_000);
    expect(done()).toBe(calls);
    expect(bucket.answers.filter((status) => status === 429)).toEqual([]);
  });

  it('uses what is left: twenty seconds of two a second take little longer', async () => {
    const time = new FakeTime();
    const bucket = new Bucket(time, 2, 2);
    const done = sendAll(time, limiterOn(time), bucket, 42);
    await time.pass(25_000);
    expect(done()).toBe(42);
  });

  it('goes on after a refusal when the limit is reset, and is not refused twice in a row', async () => {
    const time = new FakeTime();
    const bucket = new Bucket(time, 2, 2);
    const limiter = limiterOn(time);
    const done = sendAll(time, limiter, bucket, 20);
    for (let times = 0; times < 4; times += 1) {
      // Somebody else takes all that the same tenant gives in this second.
      for (let call = 0; call < 2; call += 1) bucket.call();
      await time.pass(3_000);
    }
    await time.pass(120_000);
    expect(done()).toBe(20);
    expect(bucket.answers).toContain(429);
    expect(bucket.twiceInARow).toBe(false);
  });

  it('lets one call find out whether a service that does not count takes more again', async () => {
    const time = new FakeTime();
    const bucket = new Bucket(time, 5, 5, false);
    const limiter = limiterOn(time);
    const done = sendAll(time, limiter, bucket, 6, 0);
    await time.pass(900);
    expect([done(), bucket.answers.filter((status) => status === 429).length]).toEqual([5, 1]);
    const more = sendAll(time, limiter, bucket, 3, 0);
    const asked = bucket.answers.length;
    await time.pass(50);
    expect(bucket.answers).toHaveLength(asked);
    await time.pass(2_000);
    expect([done(), more()]).toEqual([6, 3]);
  });

  it('sends the first call of all alone, and then as many as come when nobody limits', async () => {
    const time = new FakeTime();
    const limiter = limiterOn(time);
    const turns = Array.from({ length: 40 }, () => limiter.turn(patience()));
    let granted = 0;
    for (const turn of turns) void turn.then(() => (granted += 1));
    await settle();
    expect(granted).toBe(1);
    (await turns[0])?.done({ status: 200, headers: {} });
    await settle();
    expect(granted).toBe(40);
  });

  it('waits for what a refusal says, with jitter and never more than a minute at once', async () => {
    for (const [headers, random, ms] of [
      [{ 'retry-after': '7' }, 0, 7_000],
      [{ 'retry-after': '7' }, 1, 8_000],
      [{ 'retry-after': '3600' }, 1, 60_000],
      [{ 'x-ratelimit-reset': String(START / 1_000 + 3), 'x-ratelimit-remaining': '0' }, 0, 3_000],
      [{}, 0, 500],
      [{ 'retry-after': '0' }, 0, 500],
    ] as const) {
      const time = new FakeTime();
      const limiter = limiterOn(time, random);
      (await limiter.turn(patience())).done({ status: 429, headers });
      void limiter.turn(patience());
      expect([headers, time.next]).toEqual([headers, ms]);
    }
  });

  it('doubles its own wait with each refusal that says nothing', async () => {
    const time = new FakeTime();
    const limiter = limiterOn(time, 0);
    const waits: number[] = [];
    for (let refusal = 0; refusal < 9; refusal += 1) {
      const turn = limiter.turn(patience());
      waits.push(time.next ?? 0);
      await time.pass(time.next ?? 0);
      (await turn).done({ status: 429, headers: {} }, 500);
    }
    expect(waits).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
  });

  it('takes the refusals of calls that were under way together for one', async () => {
    const time = new FakeTime();
    const limiter = limiterOn(time, 0);
    (await limiter.turn(patience())).done({ status: 200, headers: {} });
    const turns = await Promise.all(Array.from({ length: 5 }, () => limiter.turn(patience())));
    for (const turn of turns) turn.done({ status: 429, headers: {} }, 500);
    void limiter.turn(patience());
    expect(time.next).toBe(500);
  });

  it('is not misled by answers that overtake each other', async () => {
    const time = new FakeTime();
    const limiter = limiterOn(time, 0);
    const counted = (remaining: number) => ({
      status: 200,
      headers: { 'x-ratelimit-remaining': String(remaining), 'x-ratelimit-reset': String(START / 1_000 + 1) },
    });
    (await limiter.turn(patience())).done(counted(2));
    const [first, second] = await Promise.all([limiter.turn(patience()), limiter.turn(patience())]);
    second?.done(counted(0));
    first?.done(counted(1));
    let granted = false;
    void limiter.turn(patience()).then(() => {
      granted = true;
    });
    await settle();
    expect([granted, time.next]).toEqual([false, 1_000]);
  });

  it('goes on when a call gets no answer at all', async () => {
    const time = new FakeTime();
    const limiter = limiterOn(time);
    (await limiter.turn(patience())).done();
    (await limiter.turn(patience())).done();
    await expect(limiter.turn(patience())).resolves.toBeDefined();
  });

  it('gives up with the caller, and the next in the queue takes the place', async () => {
    const time = new FakeTime();
    const limiter = limiterOn(time, 0);
    (await limiter.turn(patience())).done({ status: 429, headers: { 'retry-after': '5' } });
    const controller = new AbortController();
    const [given, kept] = [limiter.turn(controller.signal), limiter.turn(patience())];
    controller.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await time.pass(5_000);
    await expect(kept).resolves.toBeDefined();
  });

  it('fails at once when it is known to wait for longer than the caller can', async () => {
    const time = new FakeTime();
    const limiter = limiterOn(time, 0);
    (await limiter.turn(patience())).done({ status: 429, headers: { 'retry-after': '30' } });
    await time.pass(10_000);
    await expect(limiter.turn(patience(), 3_000)).rejects.toMatchObject({
      code: 'target_unavailable',
      retryAfterSeconds: 20,
    });
  });
});

it('there is one limiter for each service, and for each of its buckets', () => {
  const limiters = createLimiters();
  const one = limiters.of(new URL('https://a.example.com/api/v2/users'));
  expect(limiters.of(new URL('https://a.example.com/api/v2/roles'))).toBe(one);
  expect(limiters.of(new URL('https://b.example.com/api/v2/users'))).not.toBe(one);
  expect(limiters.of(new URL('https://a.example.com/oauth/token'), 'token')).not.toBe(one);
});
