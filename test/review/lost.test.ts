import type { AuditRecord } from '../../src/audit/audit.ts';
import { type KeptRecord, lostRecords, whatWasLost } from '../../src/review/lost.ts';

const records = (...entries: readonly Partial<KeptRecord>[]): KeptRecord[] =>
  entries.map((entry, index) => ({ seq: index + 1, hash: `h${index + 1}`, event: '', ...entry }));

async function* ours(...list: readonly KeptRecord[]) {
  for (const record of list) yield record as AuditRecord;
}

it('is what is not here: not what came twice, what was removed for its age, or what has another hash here', async () => {
  const kept = records({}, {}, {}, {});
  const other = { seq: 4, hash: 'another', event: '' };
  const lost = await lostRecords([...kept, ...kept.toReversed()], ours(...kept.slice(1, 3), other));
  expect(lost.map(({ seq }) => seq)).toEqual([4]);
});

it('is out who was disabled, whatever they had afterwards, until somebody enables them', () => {
  const [ann, ben] = [{ person: 'ann' }, { person: 'ben' }];
  const { out } = whatWasLost(
    records(
      { ...ann, event: 'person.disabled' },
      { ...ann, event: 'grant.given' },
      { ...ben, event: 'person.disabled' },
      { ...ben, event: 'person.enabled' },
    ),
  );
  expect([...out]).toEqual([
    ['ann', true],
    ['ben', false],
  ]);
});

it('is out who has left, unless they came back', () => {
  const left = (person: string) => ({ person, event: 'person.left' });
  const { out } = whatWasLost(records(left('ann'), left('ben'), { person: 'ben', event: 'login.allowed' }));
  expect([...out]).toEqual([['ann', true]]);
});

it('has the last word about each grant', () => {
  const grant = { person: 'ann', target: 'bi', key: 'role:Alpha' };
  const { pins } = whatWasLost(
    records(
      { ...grant, event: 'grant.pinned' },
      { ...grant, key: 'role:Beta', event: 'grant.pinned' },
      { ...grant, event: 'pin.lifted' },
    ),
  );
  expect(pins.map(({ event, key }) => [event, key])).toEqual([
    ['pin.lifted', 'role:Alpha'],
    ['grant.pinned', 'role:Beta'],
  ]);
});
