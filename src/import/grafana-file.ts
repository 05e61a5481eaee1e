import { LatchgateError } from '../model/errors.ts';
import { isVariable, readIni, readVariable } from './ini.ts';
import type { Entry, Literal, Option } from './literals.ts';
import { readYaml } from './yaml.ts';

/** As the Helm chart and many a ConfigMap call it. */
const FILE = 'grafana.ini';

/**
 * Options of `grafana.ini`, of lines with `GF_…` variables, or of YAML in which there is a `grafana.ini`, as a map or a text:
 * values of the Helm chart, a ConfigMap. Their names are `section.key`. Throws `usage` when the text is none of these.
 */
export function readGrafana(text: string): readonly Option[] {
  const inside = optionsInYaml(text);
  if (inside !== undefined) return inside;
  const options = readIni(text);
  const isEmpty = /^(?:\s*(?:[;#].*)?(?:\n|$))*$/.test(text);
  const isIni = /^\s*(?:\[[^\]]+\]\s*(?:[;#].*)?|\w+\s*=.*)$/m.test(text);
  if (isEmpty || isIni || options.some(({ name }) => name.includes('.'))) return options;
  throw new LatchgateError(
    'usage',
    'the file has neither sections of a grafana.ini nor GF_ variables, nor is it YAML with a grafana.ini in it',
  );
}

function optionsInYaml(text: string): readonly Option[] | undefined {
  let top: readonly Option[];
  try {
    top = readYaml(text);
  } catch {
    return undefined;
  }
  const found = new Found();
  for (const { name, value, line } of top) found.entry(name, value, line);
  return found.hasFile ? found.options() : undefined;
}

class Found {
  hasFile = false;
  readonly #options: Option[] = [];
  /** They count before what the file says. */
  readonly #variables: Option[] = [];

  options(): readonly Option[] {
    return [...this.#options, ...this.#variables];
  }

  entry(name: string, value: Literal, line: number): void {
    if (name === FILE) {
      this.hasFile = true;
      this.#file(value, line);
    } else if (isVariable(name)) this.#variables.push(readVariable(name, value, line));
    else if (value.kind === 'map') for (const one of value.entries) this.entry(one.key, one.value, one.line);
    else if (value.kind === 'list') for (const item of value.items) this.#item(name, item);
    else this.#options.push({ name: `(values).${name}`, line, value: { kind: 'code', line } });
  }

  /** `- name: GF_…`, with `value` or `valueFrom`, of a container; other items are looked through. */
  #item(name: string, item: Literal): void {
    const entries = item.kind === 'map' ? item.entries : [];
    const named = entries.find(({ key }) => key === 'name')?.value;
    const isOne = named?.kind === 'scalar' && isVariable(String(named.value));
    if (!isOne) {
      for (const one of entries) this.entry(one.key, one.value, one.line);
      if (entries.length === 0) this.#options.push({ name: `(values).${name}`, line: item.line, value: item });
      return;
    }
    const value = entries.find(({ key }) => key === 'value')?.value ?? { kind: 'code' as const, line: item.line };
    this.#variables.push(readVariable(String(named.value), value, item.line));
  }

  #file(value: Literal, line: number): void {
    if (value.kind === 'scalar' && typeof value.value === 'string') {
      // The text begins on the line behind its key.
      for (const option of readIni(value.value)) {
        const at = option.line + line;
        this.#options.push({ ...option, line: at, value: { ...option.value, line: at } });
      }
      return;
    }
    if (value.kind !== 'map') return;
    for (const section of value.entries) {
      assertWritten(section);
      if (section.value.kind !== 'map') this.#options.push(readVariable(section.key, section.value, section.line));
      else
        for (const one of section.value.entries) {
          assertWritten(one);
          this.#options.push({ ...readVariable(one.key, one.value, one.line), name: `${section.key}.${one.key}` });
        }
    }
  }
}

/** What an anchor holds may be the very option that keeps people out. */
function assertWritten({ key, value, line }: Entry): void {
  if (key === '<<' || (value.kind === 'code' && key.includes('.')))
    throw new LatchgateError('usage', `line ${line}: write out what the anchor holds, aliases are not read here`);
}
