import { type RunningRedis, redisUserInfo, startRedis } from '../services/redis.ts';
import { describeEnds } from './ends.ts';

/** From the answer that it is done. */
const WITHIN_MS = 1_000;

describeEnds('what ends a session within a second, at two gateways on one database', { withinMs: WITHIN_MS });

describe('with Redis', () => {
  let redis: RunningRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  /** Two deployments do not share one: each has a database of it. */
  const session = (database: number) => async () =>
    `{ secrets: ["only for tests, and long enough for the rule"], store: "redis://${redisUserInfo()}${redis.address}/${database}" }`;

  describeEnds('what ends a session, at two gateways', { session: session(0) });
  describeEnds('what ends a session within a second, at two gateways', { session: session(1), withinMs: WITHIN_MS });
});
