/** A real browser for the page's tests: the system's Chromium, or a visible reason why there is none. */
import { accessSync, constants } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Tests that need a browser are skipped for `reason` where there is none; REQUIRE_SERVERS=1 makes that a failure. */
export function findBrowser(): { path: string; reason?: never } | { path?: never; reason: string } {
  const places = process.env.CHROME_PATH === undefined ? PLACES : [process.env.CHROME_PATH];
  const path = places.find(isExecutable);
  if (path !== undefined) return { path };
  return { reason: `no Chromium at ${places.join(', ')}: install it (apt-get install chromium) or set CHROME_PATH` };
}

export function launchBrowser(path: string): Promise<Browser> {
  return chromium.launch({ executablePath: path, args: ARGS });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
