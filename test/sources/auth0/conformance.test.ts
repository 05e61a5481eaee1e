import { systemClock } from '../../../src/ops/clock.ts';
import { createAuth0Source } from '../../../src/sources/auth0/source.ts';
import { describeSource, type SourceSubject } from '../../conformance/source.ts';
import { configFor, startTenant } from './tenant.ts';

const PEOPLE = [
  { email: 'ada@example.com', groups: ['Admin', 'User'], active: true },
  { email: 'bob@example.com', groups: ['User'], active: true },
  { email: 'zoë@example.com', groups: [], active: true },
  { email: 'gone@example.com', groups: ['User'], active: false },
  { email: 'eve@example.com', groups: ['Größe'], active: true },
];

async function subject(list: 'search' | 'export'): Promise<SourceSubject> {
  const roles = ['Admin', 'User', 'Größe'].map((name) => ({ name }));
  const users = PEOPLE.map(({ email, groups, active }) => ({ email, roles: groups, blocked: !active }));
  const tenant = await startTenant({ seed: { roles, users } }, { list });
  const { emulator, http } = tenant;
  const another = (url: string) =>
    createAuth0Source({ name: 'tenant', config: configFor(url, { list }), http, clock: systemClock, pollMs: 1 });
  return {
    source: tenant.source,
    people: PEOPLE,
    read: (claims) => ({ email: claims['email'], groups: claims['roles'] }),
    failsInTheMiddle: async () => {
      const broken = list === 'search' ? '/api/v2/users' : '/exports/';
      emulator.faults.set({ status: 500, match: (_method, path) => path.startsWith(broken) });
      const source = another(emulator.url);
      const close = async (): Promise<void> => {
        emulator.faults.clear();
        await source.close();
      };
      return { ...source, close };
    },
    unreachable: async () => another('http://127.0.0.1:9'),
    contents: async () =>
      JSON.stringify([
        [...emulator.state.users],
        [...emulator.state.roles.values()].map(({ members }) => [...members]),
      ]),
    secrets: ['emulator-secret', 'ada@example.com'],
    cleanup: () => tenant.close(),
  };
}

describeSource('auth0, by search', () => subject('search'));
describeSource('auth0, by export', () => subject('export'));
