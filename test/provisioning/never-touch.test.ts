import { compileNeverTouch } from '../../src/provisioning/never-touch.ts';

const account = (userName: string, email: string | null = null) => ({ userName, profile: { email } });

describe('never_touch', () => {
  it.each([
    ['admin', account('Admin'), true],
    ['Admin', account('admin'), true],
    ['admin', account('admin2'), false],
    ['Root@Acme.test', account('u1', 'root@acme.TEST'), true],
    ['SVC-*', account('svc-etl'), true],
    ['*@bots.acme.test', account('u1', 'etl@Bots.acme.test'), true],
    ['~svc-\\S+|Bot', account('BOT'), true],
    ['~svc-\\S+', account('SVC-x y'), false],
    ['~a|b', account('ab'), false],
    ['jos\u00e9@acme.test', account('u1', 'jose\u0301@acme.test'), true],
    ['JOSE\u0301@acme.test', account('jos\u00e9@acme.test'), true],
    ['~jose\u0301@.*', account('JOS\u00c9@acme.test'), true],
    ['auth0|7', { ...account('u7'), externalId: 'auth0|7' }, true],
    ['auth0|7', { ...account('u7'), externalId: 'tenant|auth0|7' }, true],
    ['7', { ...account('u7'), externalId: 'auth0|7' }, true],
    ['auth0|7', { ...account('u7'), externalId: 'auth0|77' }, false],
  ])('%s on %j: %s', (line, one, fits) => {
    expect(compileNeverTouch([line])(one)).toBe(fits);
  });

  it('without lines fits nobody', () => {
    expect(compileNeverTouch([])(account('admin'))).toBe(false);
  });
});
