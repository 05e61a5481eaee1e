import { composePreview } from '../compose/preview.ts';
import { isShadow } from '../compose/shadow.ts';
import { composeLog } from '../compose/state.ts';
import { loadConfig } from '../config/load.ts';
import { openDatabase } from '../directory/database.ts';
import { createDirectory } from '../directory/kysely-directory.ts';
import { spokenAlone } from '../directory/spoken.ts';
import { type Clock, systemClock } from '../ops/clock.ts';
import type { Preview } from '../preview/outcome.ts';
import { previewChanges } from '../preview/preview.ts';
import { previewJson } from '../preview/preview-json.ts';
import { renderPreviewMarkdown } from '../preview/render-markdown.ts';
import { renderPreviewText } from '../preview/render-text.ts';
import { type Io, isColored } from './io.ts';
import { timeOf } from './since.ts';

export interface PreviewOptions {
  /** The config that is live; what is recorded in its state is looked at. */
  readonly config: string;
  /** The config that is to go live. */
  readonly next: string;
  /** Only people of whom somebody has spoken since then: a date or how long ago. */
  readonly since?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
  /** Everybody by name. */
  readonly all?: boolean;
}

const EXIT_PRIVILEGED = 4;

/**
 * `latchgate preview --new NEW`: who gains, loses or is shut out when NEW goes live, by what is recorded. Writes nothing,
 * and asks nobody but the state database. Exit code 0, or 4 when somebody gains something privileged. Throws ConfigError
 * for either file, `usage`, `state_unavailable`.
 */
export async function preview(options: PreviewOptions, io: Io, clock: Clock = systemClock): Promise<number> {
  const before = loadConfig(options.config, { env: io.env });
  const after = loadConfig(options.next, { env: io.env, option: '--new' });
  const since = options.since === undefined ? undefined : timeOf('--since', options.since, clock.now());
  const log = composeLog({ ...before, log: { ...before.log, level: 'error' } }, process.stderr);
  const remembered = createDirectory(await openDatabase(before.state.database, { log }), clock);
  const directory = isShadow(before) ? remembered : spokenAlone(remembered);
  try {
    const parts = composePreview(before, after, { directory, clock, log });
    const made = await previewChanges({ ...parts, ...(since === undefined ? {} : { since }) });
    print(made, options, io);
    return made.summary.privileged > 0 ? EXIT_PRIVILEGED : 0;
  } finally {
    await directory.close();
  }
}

function print(made: Preview, options: PreviewOptions, io: Io): void {
  if (options.json === true) io.out(JSON.stringify(previewJson(made), null, 2));
  else if (options.markdown === true) io.out(renderPreviewMarkdown(made, options).trimEnd());
  else io.out(renderPreviewText(made, { ...options, color: isColored(io) }).trimEnd());
}
