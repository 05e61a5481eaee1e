import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatComplaint } from '../../src/config/complaint.ts';
import { examineConfig } from '../../src/config/load.ts';
import { SECRET } from './fixture.ts';

/*
 * What people read. `UPDATE_GOLDEN=1 npm test -- test/config/golden` writes the texts anew; look at what changed.
 */

const FOLDER = join(import.meta.dirname, '..', 'golden', 'config');
const FILES: Readonly<Record<string, Uint8Array>> = {
  '/run/secrets/session': Buffer.from(`${SECRET}\n`),
  '/run/secrets/oidc': Buffer.from(SECRET),
  '/run/secrets/gooddata': Buffer.from(SECRET),
  '/run/secrets/binary': Buffer.from([0xff, 0xff]),
  '/etc/latchgate/empty': Buffer.from('\n'),
};
const ERRORS: Readonly<Record<string, string>> = { '/run/secrets': 'EISDIR', '/run/secrets/private': 'EACCES' };
const ENV = { EMPTY: '', LEVEL: 'hunter2', TYPE: 'hunter2' };

function said(name: string): string {
  const text = readFileSync(join(FOLDER, `${name}.yaml`));
  const { complaints, warnings } = examineConfig(`/etc/latchgate/${name}.yaml`, {
    env: ENV,
    readFile: (path) => {
      if (path === `/etc/latchgate/${name}.yaml`) return text;
      const content = FILES[path];
      if (content === undefined) throw Object.assign(new Error(path), { code: ERRORS[path] ?? 'ENOENT' });
      return content;
    },
  });
  const lines = [...complaints, ...warnings].map((one) => formatComplaint(one).replace('/etc/latchgate/', ''));
  return `${lines.join('\n')}\n`;
}

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length));

it.each(names)('what is said of %s.yaml', (name) => {
  const golden = join(FOLDER, `${name}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, said(name));
  expect(said(name)).toBe(readFileSync(golden, 'utf8'));
});

it('says nothing that came from outside', () => {
  expect(names.map(said).join('')).not.toMatch(/hunter2|q8Zr5v/);
});
