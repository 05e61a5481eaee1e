import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CANDIDATES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Nothing that talks to the outside by itself, and nothing that needs a GPU or user namespaces. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The browser program: `$LATCHGATE_CHROMIUM`, else the first usual place that exists. */
function chromiumPath(): string {
  const path = [process.env['LATCHGATE_CHROMIUM'], ...CANDIDATES].find((file) => file && existsSync(file));
  if (!path)
    throw new Error('no Chromium found: install the package chromium, or set LATCHGATE_CHROMIUM to its program');
  return path;
}

/** Starts a headless Chromium, with further flags. Close it with `browser.close()`. */
export function startChromium(...flags: readonly string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: [...FLAGS, ...flags],
    timeout: 60_000,
  });
}
