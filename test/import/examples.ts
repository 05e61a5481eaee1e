import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type ExaminedConfig, examineConfig } from '../../src/config/load.ts';
import * as grafana from '../../src/import/grafana.ts';
import type { Made } from '../../src/import/migration.ts';
import * as proxy from '../../src/import/oauth2-proxy.ts';
import * as superset from '../../src/import/superset.ts';

/** Inputs of each program, and what is made of them beside it as NAME.yaml. */
export const FOLDER = join(import.meta.dirname, '../golden/import');

const IMPORTERS: Readonly<Record<string, (text: string, file: string) => Made>> = {
  superset: superset.importSuperset,
  'oauth2-proxy': proxy.importOauth2Proxy,
  grafana: grafana.importGrafana,
};

export const inputs: readonly string[] = readdirSync(FOLDER).filter((file) => !file.endsWith('.made.yaml'));

export function inputOf(file: string): string {
  return readFileSync(join(FOLDER, file), 'utf8');
}

function importerFor(file: string): (text: string, file: string) => Made {
  const program = Object.keys(IMPORTERS).find((name) => file.startsWith(name)) ?? '';
  const importer = IMPORTERS[program];
  if (importer === undefined) throw new Error(`no importer for ${file}`);
  return importer;
}

/** What is made of an example. */
export function made(file: string): string {
  return importerFor(file)(inputOf(file), file).config;
}

// Only its form is looked at.
const FILES: Readonly<Record<string, string>> = {
  '.pem': `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n-----END PRIVATE KEY-----\n`,
  '.xml': '<EntityDescriptor><IDPSSODescriptor/></EntityDescriptor>',
};

/** As `latchgate check` sees it where every variable and file that it names is there. */
export function checked(text: string): ExaminedConfig {
  const path = '/etc/latchgate/latchgate.yaml';
  const secret = 'q8Zr5vT1mX0cW7nB4kJ9sD2fG6hL3pYe';
  const names = [...text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)].map(([, name]) => name ?? '');
  return examineConfig(path, {
    env: Object.fromEntries(names.map((name) => [name, /URL|ISSUER/.test(name) ? 'https://id.example.com' : secret])),
    readFile: (file) => Buffer.from(file === path ? text : (FILES[extname(file)] ?? secret)),
  });
}

type Text = (text: string, file: string) => string;

/** What is made of a text, as a file. */
export const importSuperset: Text = (text, file) => superset.importSuperset(text, file).config;
export const importGrafana: Text = (text, file) => grafana.importGrafana(text, file).config;
export const importOauth2Proxy: Text = (text, file) => proxy.importOauth2Proxy(text, file).config;
