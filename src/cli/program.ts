import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import type { Work } from './commands/add.ts';
import { EXIT_USAGE, reportFailure } from './failure.ts';
import type { Io } from './io.ts';

/** All but `serve`. */
type OtherCommands = Pick<typeof import('./commands/all.ts'), 'addCommands'>;

/**
 * Runs one command line (without node and script). Resolves to the exit code; never throws. `others`: absent, they are loaded
 * when they are wanted.
 */
export async function run(args: readonly string[], io: Io, others?: OtherCommands): Promise<number> {
  let exitCode = 0;
  const program = new Command('latchgate')
    .description('A login gateway in front of analytics backends.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand(false)
    // `drift` is a command, and has commands: options that stand behind one of those are that one's.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.err(text.trimEnd()) });
  const add = (parent: Command, spec: string, summary: string, work: Work): Command =>
    parent
      .command(spec)
      .summary(summary)
      .description(summary)
      .option(
        '--config <file>',
        'the configuration; $LATCHGATE_CONFIG names another default',
        io.env['LATCHGATE_CONFIG'] ?? './latchgate.yaml',
      )
      .action(async (...given: unknown[]) => {
        const own = given.at(-1) as Command;
        exitCode = await work(own.opts(), own.args);
      });
  // Whoever serves for months does without what the other commands need, and they are the quicker without the gateway.
  add(program, 'serve', 'run the gateway', async (options) => (await import('./serve.ts')).serve(options, io));
  if (args[0] !== 'serve') (others ?? (await import('./commands/all.ts'))).addCommands(program, add, io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : EXIT_USAGE;
    return reportFailure(thrown, io);
  }
}

/** Of the nearest package above this file, wherever it is built to. */
function version(): string {
  for (const up of ['../..', '../../..']) {
    const file = join(import.meta.dirname, up, 'package.json');
    if (!existsSync(file)) continue;
    const { version: found } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
    if (found !== undefined) return found;
  }
  return 'unknown';
}
