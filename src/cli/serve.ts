import { composeEngine } from '../compose/engine.ts';
import { composeGateway } from '../compose/gateway.ts';
import { composeLog, composeState } from '../compose/state.ts';
import { loadConfig } from '../config/load.ts';
import type { Io } from './io.ts';

/**
 * `latchgate serve`: runs until SIGTERM or SIGINT, then lets open requests end. One log line `ready` names both
 * addresses. Exit code 0; 2 for a config error, which is thrown as ConfigError.
 */
export async function serve(options: { readonly config: string }, io: Io): Promise<number> {
  const config = loadConfig(options.config, { env: io.env });
  const log = composeLog(config);
  const state = await composeState(config, log);
  const engines = composeEngine(config, state);
  const gateway = composeGateway(config, engines);
  const ended = untilSignal();
  try {
    const addresses = await gateway.listen();
    log.info('ready', { ...addresses, publicUrl: config.public_url });
    const signal = await ended;
    log.info('stopping', { signal });
  } finally {
    await gateway.close();
    await engines.close();
    await state.close();
  }
  log.info('stopped');
  return 0;
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
