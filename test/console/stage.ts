import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmulatedPerson } from '../emulators/oidc/provider.ts';
import type { Browser, Page } from '../journey/browser.ts';
import { GOODDATA, person, type Sections } from '../journey/company.ts';
import { type Journey, startJourney } from '../journey/harness.ts';
import { freePort } from '../services/child.ts';

/** A display name and a group that would like to be markup, or to turn a line round. */
export const HOSTILE = `<img src=x onerror="alert(1)">'&\u202egnp`;
export const HOSTILE_GROUP = '<script>alert(2)</script>';

/** A company whose gateway has the operators' page: olga acts, vera looks, and everybody else has no role. */
export interface ConsoleStage {
  readonly journey: Journey;
  /** As operators' browsers see it. */
  readonly admin: string;
  /** One line for each group of a person, in the list that the sync reads. */
  list(people: Readonly<Record<string, readonly string[]>>): void;
  close(): Promise<void>;
}

export async function startConsoleStage(
  options: { readonly sections?: Sections; readonly people?: readonly EmulatedPerson[]; readonly start?: boolean } = {},
): Promise<ConsoleStage> {
  const port = await freePort();
  const admin = `http://127.0.0.1:${port}`;
  const people = [
    person('olga', { groups: ['bi-operators', 'team-a'] }),
    person('vera', { groups: ['bi-viewers'] }),
    person('ann', { groups: ['team-a', 'team-b'] }),
    person('eve', { groups: ['team-a', HOSTILE_GROUP], given_name: HOSTILE, name: HOSTILE }),
    ...(options.people ?? []),
  ];
  const journey = await startJourney({
    people,
    sections: {
      ...GOODDATA,
      admin_listen: `"127.0.0.1:${port}"`,
      admin_url: `"${admin}"`,
      operators: `
  viewer: { when: { groups: bi-viewers } }
  operator: { when: { groups: bi-operators } }`,
      sources: '{ hr: { type: file, path: people.csv } }',
      sync: '{ hr-to-gooddata: { from: hr, to: gooddata } }',
      ...options.sections,
    },
    ...(options.start === undefined ? {} : { start: options.start }),
  });
  return {
    journey,
    admin,
    list: (listed) => {
      const rows = Object.entries(listed).flatMap(([name, groups]) =>
        groups.map((group) => `${name}@acme.test,${name[0]?.toUpperCase()}${name.slice(1)} Smith,${group}`),
      );
      writeFileSync(join(journey.folder, 'people.csv'), `${['email,name,role', ...rows].join('\n')}\n`);
    },
    close: () => journey.close(),
  };
}

/** The token that stands in the forms of a page; empty: it has none. */
export function tokenOn({ text }: Page): string {
  return /<input type="hidden" name="token" value="([\w-]+)">/.exec(text)?.[1] ?? '';
}

/** The reason code of a page that refuses. */
export function reasonOn({ text }: Page): string | undefined {
  return /<dt>Reason<\/dt><dd>(?:<code>)?([a-z_]+)</.exec(text)?.[1];
}

/** Somebody at the page, in a browser of their own. */
export class Seat {
  readonly browser: Browser;
  readonly #stage: ConsoleStage;

  constructor(stage: ConsoleStage, browser: Browser = stage.journey.browser()) {
    this.#stage = stage;
    this.browser = browser;
  }

  static async of(stage: ConsoleStage, sub: string): Promise<Seat> {
    const seat = new Seat(stage);
    await seat.browser.logIn(`${stage.admin}/`, sub);
    return seat;
  }

  visit(path: string): Promise<Page> {
    return this.browser.visit(`${this.#stage.admin}${path}`);
  }

  /** As a form of our own page posts it, with the token of this session. */
  async post(path: string, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
    const token = tokenOn(await this.visit('/'));
    return this.send(path, { token, ...fields });
  }

  send(
    path: string,
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = { origin: this.#stage.admin, 'sec-fetch-site': 'same-origin' },
  ): Promise<Page> {
    return this.browser.visit(`${this.#stage.admin}${path}`, { method: 'POST', form, headers });
  }
}
