import type { Command } from 'commander';

/** What commander hands over; each command declares which of them it has. */
export interface Options {
  readonly config: string;
  readonly json?: boolean;
  readonly all?: boolean;
  readonly user?: string;
  readonly id?: string;
  readonly since?: string;
  readonly new?: string;
  readonly entitlement?: string;
  readonly load?: string;
  readonly at?: string;
  readonly dryRun?: boolean;
  readonly origin?: string;
  readonly claims?: string;
  readonly token?: string;
  readonly target?: string;
  readonly out?: string;
  readonly markdown?: boolean;
  readonly detailedExitcode?: boolean;
  readonly plan?: string;
  readonly approve?: boolean;
  readonly apply?: boolean;
  readonly ignore?: string;
  readonly client?: string;
  readonly expires?: string;
  readonly reason?: string;
  readonly session?: string;
  readonly checkpoint?: string;
  readonly key?: string;
}

export type Work = (options: Options, args: readonly string[]) => Promise<number>;

/** Adds a command with `--config` to a parent; returns it for its other options. */
export type Add = (parent: Command, spec: string, summary: string, work: Work) => Command;

export const json = ['--json', 'for programs: stable JSON'] as const;

/** A command that only has commands. */
export function group(program: Command, name: string, summary: string): Command {
  return program.command(name).summary(summary).description(summary).helpCommand(false);
}
