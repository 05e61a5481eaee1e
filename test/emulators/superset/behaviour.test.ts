import { describeSuperset, type SupersetSubject } from './behaviour.ts';
import { startSupersetEmulator } from './server.ts';

async function start(): Promise<SupersetSubject> {
  const emulator = await startSupersetEmulator({ signIn: 'header' });
  const login = { username: 'admin', password: 'admin', provider: 'db' };
  const answer = await fetch(`${emulator.url}/api/v1/security/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(login),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return {
    url: emulator.url,
    admin: async () => ({ Authorization: `Bearer ${token}` }),
    cleanup: () => emulator.close(),
  };
}

describeSuperset('in memory', start);
