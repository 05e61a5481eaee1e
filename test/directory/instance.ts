/*
 * Another instance on the same state, as a process of its own that a test may kill: `instance.ts WHAT URL`. Prints `up`
 * when it is at work and `done` at its end.
 */
import { createAudit } from '../../src/audit/log.ts';
import { openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { systemClock } from '../../src/ops/clock.ts';

const [what, url = ''] = process.argv.slice(2);
const database = await openDatabase(url);
const directory = createDirectory(database, systemClock);
const audit = createAudit(database, systemClock);
console.log('up');

if (what === 'write-forever') {
  for (let at = 0; ; at += 1) {
    const person = await directory.people.ensure({ issuer: 'i', subject: `s${at}` }, 'staff', 'S');
    await audit.append([
      { event: 'login.allowed', actor: person.id, person: person.id },
      { event: 'grant.given', actor: person.id, key: `${at}` },
    ]);
    console.log(`written ${at}`);
  }
}
if (what === 'write-some') {
  for (let at = 0; at < 25; at += 1) {
    await directory.people.ensure({ issuer: 'i', subject: `s${at}` }, 'staff', 'S');
    await audit.append([{ event: 'login.allowed', actor: `${process.pid}` }]);
  }
}
if (what === 'hold-lease') {
  await directory.leases.acquire('alice', 1_500, new AbortController().signal);
  console.log('held');
  setInterval(() => {}, 1_000);
}
if (what === 'open' || what === 'write-some') {
  await directory.close();
  console.log('done');
}
