import { startSuperset } from '../../services/superset.ts';
import { describeSuperset, type SupersetSubject } from './behaviour.ts';

async function start(): Promise<SupersetSubject> {
  const superset = await startSuperset({ mode: 'header' });
  const answer = await fetch(`${superset.url}/api/v1/security/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...superset.admin, provider: 'db' }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return {
    url: superset.url,
    admin: async () => ({ Authorization: `Bearer ${token}` }),
    cleanup: () => superset.stop(),
  };
}

describeSuperset('6.1', start, 120_000);
