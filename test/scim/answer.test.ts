import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LatchgateError } from '../../src/model/errors.ts';
import { type Answer, sendAnswer } from '../../src/scim/answer.ts';
import { listHead } from '../../src/scim/protocol/list.ts';

let server: Server;
let answer: Answer;
beforeAll(async () => {
  server = createServer((_req, res) => sendAnswer(res, answer, 'r1'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const PAGE = { startIndex: 1, offset: 0, count: 100 };
const LONG = 'x'.repeat(100_000);

/** A list of so many long resources; with `breaksAt` the one there cannot be read. */
function list(length: number, breaksAt?: number): Answer {
  const resources = async function* () {
    for (let id = 1; id <= length; id += 1) {
      if (id === breaksAt) throw new LatchgateError('state_unavailable', 'the database is gone');
      yield [{ id, text: LONG }];
    }
  };
  return { status: 200, list: { head: listHead(length, PAGE, length), resources: resources() } };
}

async function got(what: Answer): Promise<Response> {
  answer = what;
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

describe('a list', () => {
  it.each([0, 1, 2])('of %i resources that are no long text is sent whole', async (length) => {
    const response = await got(list(length));
    expect(response.headers.get('content-type')).toBe('application/scim+json; charset=utf-8');
    const text = await response.text();
    expect(response.headers.get('content-length')).toBe(String(text.length));
    expect(JSON.parse(text)).toEqual({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
      totalResults: length,
      startIndex: 1,
      itemsPerPage: length,
      Resources: Array.from({ length }, (_, at) => ({ id: at + 1, text: LONG })),
    });
  });

  it('that is longer goes out while it is read', async () => {
    const response = await got(list(20));
    expect([response.headers.get('content-length'), response.headers.get('x-request-id')]).toEqual([null, 'r1']);
    const body = (await response.json()) as { readonly Resources: readonly { readonly id: number }[] };
    expect(body.Resources.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });

  it('that cannot be read is a failure, and no list that ends early', async () => {
    const first = await got(list(20, 1));
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await first.json()).toMatchObject({ status: '503' });
    await expect(got(list(20, 15)).then((response) => response.text())).rejects.toThrow();
  });
});
