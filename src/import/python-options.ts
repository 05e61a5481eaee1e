import type { Literal, Option } from './literals.ts';

export const OVERWRITTEN = '(overwritten)';

/** Options of a Python file, each as it is when the file has been read to its end. */
export class PythonOptions {
  readonly #options: readonly Option[];

  constructor(options: readonly Option[]) {
    this.#options = options;
  }

  /** What code changes later on is `code`, whatever was written first. */
  find(name: string): Literal | undefined {
    const option = this.#plain(name);
    return this.isChanged(name) ? { kind: 'code', line: option?.line ?? 0 } : option?.value;
  }

  /** As it was written, whatever code makes of it. */
  written(name: string): Literal | undefined {
    return this.#plain(name)?.value;
  }

  /**
   * Whether code changes it after the last plain line of that name, or sets it without one. What is in a block, a function for
   * one, may run later than where it stands.
   */
  isChanged(name: string): boolean {
    const from = this.#plain(name)?.line ?? 0;
    return this.#options.some(
      (option) =>
        option.name.startsWith(`${name} `) &&
        option.name !== `${name} ${OVERWRITTEN}` &&
        (option.line >= from || option.name.includes('(in ')),
    );
  }

  #plain(name: string): Option | undefined {
    return this.#options.find((one) => one.name === name);
  }
}
