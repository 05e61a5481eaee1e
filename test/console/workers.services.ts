import { gooddataUser } from '../journey/company.ts';
import { until } from '../journey/harness.ts';
import { type RunningGateway, startGateway } from '../services/gateway.ts';
import { type ConsoleStage, reasonOn, Seat, startConsoleStage } from './stage.ts';

// The page is in the first process, which serves nobody else; the sessions are made by its workers.
let stage: ConsoleStage;
let gateway: RunningGateway;
beforeAll(async () => {
  stage = await startConsoleStage({ sections: { workers: '2' }, start: false });
  gateway = await startGateway({ config: { file: stage.journey.configFile }, env: stage.journey.env });
});
afterAll(async () => {
  await gateway?.stop();
  await stage?.close();
});

const personOf = async (email: string) =>
  JSON.parse((await stage.journey.cli('users', 'show', email, '--json')).out) as { id: string; disabled: boolean };

it('lets operators in, disables somebody everywhere, and ends what they had open', async () => {
  const ann = stage.journey.browser();
  await ann.logIn(`${stage.journey.url}/`, 'ann');
  const olga = await Seat.of(stage, 'olga');
  const { id } = await personOf('ann@acme.test');
  const done = await olga.post(`/people/${id}/disable`);
  expect(done.text).toContain('Disabled: no new login');
  expect((await personOf(id)).disabled).toBe(true);
  expect(gooddataUser(stage.journey.gooddata.state, 'ann')?.groups).toEqual([]);
  // What this page has done is counted with what the workers did, and how the process stands is theirs alone.
  const metrics = await (await fetch(`${stage.admin}/metrics`)).text();
  expect(metrics).toMatch(/^latchgate_changes_total\{target="gooddata",op="revoke"\} [1-9]/m);
  expect(metrics).toMatch(/^latchgate_provisioning_total\{target="gooddata",outcome="ready"\} [1-9]/m);
  await until('the end at every worker', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ann.call(`${stage.journey.url}/.latchgate/userinfo`)),
    );
    return answers.every(({ status }) => status === 401) || undefined;
  });
});

it('applies a plan that was approved', async () => {
  const listed = ['amy', 'ben', 'cat', 'dan', 'eli', 'fay'];
  const all = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, ['team-a']]));
  stage.list(all(listed));
  await stage.journey.cli('apply', 'hr-to-gooddata');
  stage.list(all(listed.slice(0, 3)));
  await stage.journey.cli('apply', 'hr-to-gooddata');
  const newest = async () => JSON.parse((await stage.journey.cli('plans', 'list', '--json')).out.split('\n')[0] ?? '');
  const { id } = await newest();
  const olga = await Seat.of(stage, 'olga');
  await olga.post(`/plans/${id}/approve`);
  await until('the plan is applied', async () => (await newest()).state === 'applied' || undefined);
  expect((await olga.visit('/')).text).not.toContain('workers');
});

it('ends a session of the page with the one that a worker has ended', async () => {
  const vera = await Seat.of(stage, 'vera');
  expect((await vera.visit('/people')).status).toBe(200);
  const page = await vera.browser.visit(`${stage.journey.url}/.latchgate/logout`);
  await vera.browser.submit(page);
  await until('the end', async () => {
    const answer = await vera.browser.visit(`${stage.admin}/people`, { follow: false });
    return answer.status === 302 || undefined;
  });
  const act = await vera.send('/logout', { token: 'x' });
  expect([act.status, reasonOn(act)]).toEqual([401, 'login_required']);
});

it('stops with an operator at the page', async () => {
  await Seat.of(stage, 'olga');
  await gateway.stop();
  expect(await gateway.exited).toEqual({ code: 0, signal: null });
});
