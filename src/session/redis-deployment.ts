import type { Log } from '../ops/log.ts';
import { RedisConnection } from './redis-connection.ts';
import { DEPLOYMENT_KEY } from './redis-keys.ts';
import type { RedisServers } from './schema.ts';

/**
 * Marks the sessions in Redis as those of this deployment, unless they are marked already. Says whose they are. Throws
 * `session_store_unavailable`.
 */
export async function claimRedis(
  servers: RedisServers,
  deployment: string,
  log: Pick<Log, 'warn' | 'info'>,
): Promise<string> {
  const connection = new RedisConnection({ servers, name: 'latchgate-start', log });
  try {
    await connection.ask((client) => client.set(DEPLOYMENT_KEY, deployment, 'NX'));
    return (await connection.ask((client) => client.get(DEPLOYMENT_KEY))) ?? deployment;
  } finally {
    connection.close();
  }
}
