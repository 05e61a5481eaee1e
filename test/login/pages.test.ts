import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { html } from '../../src/login/html.ts';
import { sentenceFor } from '../../src/login/sentences.ts';
import { ERRORS, type ErrorCode } from '../../src/model/errors.ts';
import { EXAMPLES, renderExample } from './page-examples.ts';

const GOLDEN = join(import.meta.dirname, '..', 'golden', 'pages');

it.each(Object.keys(EXAMPLES))('%s reads as it did', (name) => {
  const file = join(GOLDEN, `${name}.html`);
  const page = renderExample(name);
  if (!existsSync(file) || process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, page);
  expect(page).toBe(readFileSync(file, 'utf8'));
});

it.each(Object.keys(EXAMPLES))('%s has one heading, a title, a language, and nothing from elsewhere', (name) => {
  const page = renderExample(name);
  expect(page.match(/<h1>/g)).toHaveLength(1);
  expect(page).toMatch(/<html lang="en">[\s\S]*<title>[^<]+<\/title>/);
  expect(page).not.toMatch(/https?:|@import|url\(|<script|<img|<link/);
});

/** Of commands, syncs, shadow mode, webhooks and the SCIM API: whoever logs in never meets them. */
const ELSEWHERE =
  /^(usage$|audit_|plan_|review_|run_stalled$|scim_|shadow_mode$|source_|sync_late$|target_incomplete$|too_many_(removals|new_users)$|undo_|webhook_refused$)/;
const LOGIN_CODES = (Object.keys(ERRORS) as ErrorCode[]).filter(
  (code) => ![500].includes(ERRORS[code].status) && !ELSEWHERE.test(code),
);

it.each(LOGIN_CODES)('%s has a sentence of its own for the person', (code) => {
  const { title, text } = sentenceFor(code);
  expect(text).not.toBe(sentenceFor('internal').text);
  expect(`${title} ${text}`).not.toMatch(/`|_|latchgate/i);
  expect(text).toMatch(/[.]$/);
});

it('escapes what is put into a page, wherever it stands', () => {
  const evil = `"><script>alert('1')</script>&\u0000\u202e`;
  expect(html`<a href="${evil}">${evil}</a>`.text).toBe(
    `<a href="${'&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;\ufffd\ufffd'}">${'&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;\ufffd\ufffd'}</a>`,
  );
});
