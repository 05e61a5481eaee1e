import { codes, configText, examine, warningCodes } from './fixture.ts';

const SOURCES =
  'sources: { hr: { type: scim, url: "https://hr.example/scim", token: t }, crm: { type: scim, url: "https://crm.example", token: t } }';
const examined = (sync: string) => examine(configText({ sources: SOURCES, sync: `sync: ${sync}` }));
const complaints = (sync: string) => codes(examined(sync));
const warnings = (sync: string) => warningCodes(examined(sync));
const stopIf = (given: string) => examine(configText({ safety: `safety: { stop_if: ${given} }` }));

describe('a sync', () => {
  it('has a source and a target of the file', () => {
    expect(complaints('{ a: { from: hrr, to: supperset } }')).toEqual([
      'unknown_source sync.a.from',
      'unknown_target sync.a.to',
    ]);
    const hints = examined('{ a: { from: hrr, to: superset }, b: { from: warehouse, to: superset } }').complaints;
    expect(hints.flatMap(({ code, hint }) => (code === 'unknown_source' ? hint : []))).toEqual([
      'did you mean hr?',
      'the sources are hr, crm',
    ]);
  });

  it('has one schedule at most', () => {
    expect(complaints('{ a: { from: hr, to: superset, every: 1h, cron: "0 * * * *" } }')).toEqual([
      'schedule_conflict sync.a.cron',
    ]);
    for (const schedule of [
      'every: 15m',
      'cron: "0 6 * * MON-FRI", time_zone: Europe/Berlin',
      'cron: "@daily"',
      'do: plan',
    ])
      expect(complaints(`{ a: { from: hr, to: superset, ${schedule} } }`)).toEqual([]);
  });

  it.each([
    'every: hourly',
    'every: 0s',
    'cron: "* * * * * *"',
    'cron: "61 * * * *"',
    'cron: "0 0 30 2 *"',
    'cron: "@reboot"',
    'cron: "0 6 * * *", time_zone: Middle/Earth',
    'do: everything',
    'jitter: soon',
  ])('cannot run by %s', (schedule) => {
    expect(complaints(`{ a: { from: hr, to: superset, ${schedule} } }`)).toHaveLength(1);
  });

  it('is told apart from another of the same source and target, and from keys that do nothing', () => {
    expect(
      warnings(
        `{
        a: { from: hr, to: superset, jitter: 5s, do: apply },
        b: { from: hr, to: superset, every: 1m, jitter: 1m, time_zone: Europe/Berlin } }`.replaceAll('\n', ' '),
      ),
    ).toEqual([
      'no_effect sync.a.jitter',
      'no_effect sync.a.do',
      'duplicate_sync sync.b',
      'no_effect sync.b.jitter',
      'no_effect sync.b.time_zone',
    ]);
  });
});

describe('what a sync is warned of', () => {
  const AUTH0 =
    'sources: { idp: { type: auth0, url: "https://acme.eu.auth0.com", client_id: c, client_secret: s, events: true } }';
  const withEvents = (sync: string) => warningCodes(examine(configText({ sources: AUTH0, sync: `sync: ${sync}` })));

  it('is a source whose events nothing follows', () => {
    for (const sync of ['{}', '{ a: { from: idp, to: superset } }']) {
      expect(withEvents(sync)).toEqual(['no_effect sources.idp.events']);
    }
    expect(withEvents('{ a: { from: idp, to: superset, every: 1h } }')).toEqual([]);
    expect(withEvents('{ a: { from: idp, to: superset, cron: "@daily" } }')).toEqual([]);
  });

  it('is a target that two sources lead to while everything there is managed', () => {
    const sync = 'sync: { a: { from: hr, to: superset }, b: { from: crm, to: superset } }';
    const managed = (manage: string) =>
      warningCodes(examine(configText({ sources: SOURCES, sync, safety: `safety: { manage: ${manage} }` })));
    expect(managed('all')).toEqual(['shared_target sync.b.to']);
    expect(managed('mapped')).toEqual(['shared_target sync.b.to']);
    expect(managed('ours')).toEqual([]);
  });
});

describe('the brake', () => {
  const removals = (given: string) => stopIf(`{ removals: ${given} }`).config?.safety.stop_if.removals;

  it('is at a tenth of the people unless told otherwise, and knows no limit of new ones', () => {
    expect(examine(configText()).config?.safety.stop_if).toEqual({ removals: { percent: 10 } });
  });

  it('takes per cent, a number, or both', () => {
    expect(removals('"25%"')).toEqual({ percent: 25 });
    expect(removals('"2.5 %"')).toEqual({ percent: 2.5 });
    expect(removals('50')).toEqual({ people: 50 });
    expect(removals('"50"')).toEqual({ people: 50 });
    expect(removals('["10%", 50]')).toEqual({ percent: 10, people: 50 });
    expect(removals('"50, 10%"')).toEqual({ percent: 10, people: 50 });
    expect(stopIf('{ new_users_per_hour: 50 }').config?.safety.stop_if).toEqual({
      removals: { percent: 10 },
      new_users_per_hour: 50,
    });
  });

  it.each(['"101%"', '-1', '1.5', 'ten', '[]', '["10%", "20%"]', '[1, 2]', '["10%", 5, 6]', '""', 'true'])(
    'refuses %s',
    (given) => {
      expect(codes(stopIf(`{ removals: ${given} }`))).toEqual([
        expect.stringMatching(/^(invalid_value|wrong_type|empty_value) safety\.stop_if\.removals/),
      ]);
    },
  );
});
