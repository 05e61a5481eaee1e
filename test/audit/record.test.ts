import { canonicalJson, chainHash, parseRecord, recordBody } from '../../src/audit/record.ts';
import { auditSchema } from '../../src/audit/schema.ts';

describe('canonical JSON', () => {
  it('is the same text for the same facts, whatever the order of their members', () => {
    const one = { b: [{ d: 1, c: null }], a: 'x', '10': 1, '9': 2 };
    const other = { '9': 2, a: 'x', '10': 1, b: [{ c: null, d: 1 }] };
    expect(canonicalJson(one)).toBe(canonicalJson(other));
    expect(JSON.parse(canonicalJson(one))).toEqual(one);
  });

  it('keeps lists in their order and leaves out what is undefined', () => {
    expect(canonicalJson({ list: [2, 1], gone: undefined })).toBe('{"list":[2,1]}');
  });

  it('takes every member for a plain one', () => {
    const hostile = JSON.parse('{"constructor":1,"__proto__":{"x":1}}') as unknown;
    expect(canonicalJson(hostile)).toBe('{"__proto__":{"x":1},"constructor":1}');
  });
});

describe('a record', () => {
  const at = new Date(Date.UTC(2026, 0, 2));

  it('comes back from its body', () => {
    const body = recordBody({ event: 'login.allowed', actor: 'p_a', after: { x: 1 } }, 7, at);
    expect(parseRecord(body, 'ff')).toEqual({
      event: 'login.allowed',
      actor: 'p_a',
      after: { x: 1 },
      seq: 7,
      at,
      hash: 'ff',
    });
  });

  it('does not let an entry choose its own number and time', () => {
    const forged = { event: 'x', actor: 'y', seq: 1, at: 'never' } as never;
    expect(parseRecord(recordBody(forged, 7, at), 'ff')).toMatchObject({ seq: 7, at });
  });

  it('is hashed with the hash before it', () => {
    expect(chainHash('a'.repeat(64), '{}')).not.toBe(chainHash('b'.repeat(64), '{}'));
    // printf '%064d{}' 0 | sha256sum
    expect(chainHash('0'.repeat(64), '{}')).toBe('5508d2b710e64bc470079e1b211d9c58e21011e59d0559e422345dc19d659a75');
  });
});

it('is kept for two days at least: the brake of syncs goes by the records of one', () => {
  expect(auditSchema.parse({ keep: '2d' }).keep).toBe(172_800_000);
  const { error } = auditSchema.safeParse({ keep: '47h' });
  expect(error?.issues).toMatchObject([{ path: ['keep'], message: 'must be at least 2d' }]);
});
