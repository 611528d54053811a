/** The page in a real browser, fed by a stand-in of the service. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findBrowser, launchBrowser } from '../support/browser.js';
import { FakeLiveServer, type FakeStream } from '../support/fake-live-server.js';

const FILES = fileURLToPath(new URL('../../dist/apps/dashboard/public/', import.meta.url));
const HOSTILE = [
  '<img src=x onerror="window.hacked=1">',
  `"'><script>window.hacked=1</script>`,
  'a/b?c#d%zz & \\ é 漢字 🌊',
  '"); alert(1); //',
];
const STREAMS: FakeStream[] = [
  { id: 'host.cpu', group: 'this machine', title: 'CPU', unit: '%', maeModel: 0.88, maePersistence: 1 },
  { id: 'co2', group: 'recorded', title: 'CO₂', unit: 'ppm', from: Date.UTC(1958, 2, 29), step: 7 * 86_400_000 },
  { id: 'worse', group: 'recorded', title: 'Worse', maeModel: 1.03, maePersistence: 1 },
  { id: 'repeats', group: 'recorded', title: 'Repeats', source: 'baseline', maePersistence: 1 },
  { id: 'mixed', group: 'recorded', title: 'Mixed', source: 'blend', skill: 0.064, coverage: 0.912 },
  { id: 'many/words', title: 'Words', words: ['I', 'love', 'pizza', '<b>bold</b>'] },
];

const chromium = findBrowser();
if (chromium.reason !== undefined && process.env.REQUIRE_SERVERS !== '1')
  console.warn(`dashboard-page: skipped, ${chromium.reason}`);

describe.skipIf(chromium.reason !== undefined && process.env.REQUIRE_SERVERS !== '1')('the page', () => {
  let browser: Browser;
  let server: FakeLiveServer;
  let url: string;
  let page: Page;
  /** What a page must never give rise to. */
  let complaints: string[];
  let foreign: string[];

  beforeAll(async () => {
    if (chromium.path === undefined) throw new Error(chromium.reason);
    if (!existsSync(FILES)) throw new Error('the page is not built: npm run build:dashboard');
    browser = await launchBrowser(chromium.path);
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    server = new FakeLiveServer(FILES);
    url = await server.start();
    complaints = [];
    foreign = [];
  });
  afterEach(async () => {
    await page.context().close();
    await server.stop();
    expect(foreign).toEqual([]);
  });

  async function open(path = '/', options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await context.route('**/*', (route) => {
      const wanted = new URL(route.request().url());
      if (wanted.origin === url) return route.continue();
      foreign.push(wanted.href);
      return route.abort();
    });
    await page.goto(url + path);
    return page;
  }

  const text = (selector: string): Promise<string> => page.innerText(selector);
  const card = (id: string): string => `.card[data-stream="${id}"]`;
  const points = async (id: string): Promise<number> =>
    Number(await page.locator(card(id)).getAttribute('data-points'));
  /** The chart's pixels, to see whether it moves. */
  const drawn = (id: string): Promise<string> =>
    page.evaluate<string>(`document.querySelector('.card[data-stream="${id}"] canvas').toDataURL()`);

  it('shows the figures, the model and a card for each stream', async () => {
    server.play(STREAMS);
    await open();
    await page.waitForSelector(`${card('host.cpu')} canvas`);
    expect(await text('#connection')).toBe('live');
    expect(await text('#ticks-per-second')).toBe('43.2');
    expect(await text('#ticks-total')).toMatch(/^1\s2\d\d$/);
    expect(await page.isVisible('#dead-letters-figure')).toBe(false);
    expect(await text('#model-label')).toBe('default@3');
    expect(await text('#model-facts')).toBe('GRU · 16 hidden units');
    expect(await text('#model-age')).toMatch(/^trained 1\d s ago · 2 live swaps$/);
    expect(await text('#validation-verdict')).toBe('23 % better than persistence');
    expect(await text('#validation-facts')).toContain('400 later ticks');
    expect(await text('#training-state')).toBe('Training 42 %');
    expect(await page.isVisible('#problem')).toBe(false);
    expect(await page.locator('.group h2').allInnerTexts()).toEqual(['This machine', 'Recorded', 'Streams']);
    expect(await text(`${card('host.cpu')} h3`)).toBe('CPU');
    expect(await text(`${card('host.cpu')} .card-value`)).toMatch(/^\d+\.\d+\s%$/);
    expect(await text(`${card('host.cpu')} .card-next`)).toMatch(/^next \d+\.\d+\s%$/);
    expect(await text(`${card('host.cpu')} .verdict`)).toBe('12 % better than persistence');
    expect(await text(`${card('worse')} .verdict`)).toBe('3 % worse than persistence');
    expect(await text(`${card('co2')} .verdict`)).toBe('measuring…');
    expect(await text(`${card('repeats')} .verdict`)).toBe('baseline: repeats the last value');
    expect(complaints).toEqual([]);
  });

  it('shows intervals, and what forecasts are worth beside the best baseline', async () => {
    Object.assign(server.frame, { horizon: 5, level: 0.9 });
    Object.assign(server.frame.model as object, {
      validation: { rows: 400, mae: 0.9, persistenceMae: 2, baselineMae: 1 },
    });
    server.play(STREAMS.filter(({ id }) => id === 'mixed'));
    await open();
    await page.waitForSelector(`${card('mixed')} canvas`);
    expect(await text(`${card('mixed')} .verdict`)).toBe('6 % better than the best baseline');
    expect(await text('#validation-verdict')).toBe('10 % better than the best baseline');
    expect(await text('#validation-yardstick')).toBe('best baseline');
    expect(await text('#legend')).toContain('predicted 5 ticks before');
    expect(await text('#legend-interval')).toBe('90 % interval');
    await page.click(card('mixed'));
    await expect.poll(() => text('#detail-errors')).toContain('intervals held 91 % · now by network and baselines');
    expect(complaints).toEqual([]);
  });

  it('moves as ticks come and keeps no more than it may', async () => {
    server.play(STREAMS);
    await open();
    await page.waitForSelector(`${card('host.cpu')} canvas`);
    const [before, picture] = [await points('host.cpu'), await drawn('host.cpu')];
    await expect.poll(() => points('host.cpu')).toBeGreaterThan(before + 2);
    await expect.poll(() => drawn('host.cpu')).not.toBe(picture);
    expect(await points('host.cpu')).toBeLessThanOrEqual(600);
    expect(complaints).toEqual([]);
  });

  it('says what is wrong', async () => {
    server.play(STREAMS);
    Object.assign(server.frame, { problem: 'the disk is full', deadLettersTotal: 7, model: null });
    server.frame.training = { state: 'waiting', progress: 0, detail: 'needs 180 more ticks', nextAt: null };
    await open();
    await expect.poll(() => text('#problem')).toBe('Ticks do not move. the disk is full');
    expect(await text('#dead-letters')).toBe('7');
    expect(await text('#model-label')).toBe('no model yet');
    expect(await text('#training-detail')).toBe('needs 180 more ticks');
  });

  it('says that it is disconnected, and starts over with the history when it is back', async () => {
    server.play(STREAMS);
    await open();
    await expect.poll(() => text('#connection')).toBe('live');
    server.live = false;
    server.hangUp();
    await expect.poll(() => text('#connection')).toBe('disconnected, retrying…');
    // Long enough for the browser's own retry to be refused, after which it gives up by itself.
    await page.waitForTimeout(800);
    expect(await text('#connection')).toBe('disconnected, retrying…');
    server.play(STREAMS.slice(0, 2));
    server.live = true;
    await expect.poll(() => text('#connection'), { timeout: 10_000 }).toBe('live');
    await expect.poll(() => page.locator('.card').count()).toBe(2);
    expect(await points('host.cpu')).toBeLessThan(330);
  });

  it('opens a stream: its memory step by step, refreshed, closed by Esc', async () => {
    server.play(STREAMS);
    await open();
    await page.focus(`${card('host.cpu')} a`);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.trace tbody tr');
    await expect.poll(() => new URL(page.url()).hash).toBe('#stream=host.cpu');
    expect(await page.locator('.trace th').allInnerTexts()).toEqual(['Step', 'Input', 'Memory', 'Output']);
    expect(await page.locator('.trace tbody tr').count()).toBe(20);
    expect(await page.locator('.trace tbody tr').first().locator('.strip i').count()).toBe(16);
    const title = await page.locator('.trace .memory').first().getAttribute('title');
    expect(title!.split(', ')).toHaveLength(16);
    expect(await text('#detail-note')).toContain('default@3, 16 numbers of memory');
    await page.waitForSelector('#detail-chart canvas');
    const step = Number(await text('.trace tbody tr:last-child td'));
    await expect.poll(async () => Number(await text('.trace tbody tr:last-child td'))).toBeGreaterThan(step);
    await page.keyboard.press('Escape');
    await expect.poll(() => page.isVisible('#detail')).toBe(false);
    await expect.poll(() => new URL(page.url()).hash).toBe('');
    const asked = server.requests.filter((path) => path.includes('/trace')).length;
    await page.waitForTimeout(1300);
    expect(server.requests.filter((path) => path.includes('/trace')).length).toBe(asked);
    await page.click(card('worse'));
    await expect.poll(() => text('#detail-title')).toBe('Worse');
    expect(complaints).toEqual([]);
  });

  it('opens a stream of words by its address', async () => {
    server.play(STREAMS);
    await open('/#stream=many%2Fwords');
    await page.waitForSelector('.trace tbody tr');
    const words = await page.locator('.trace .word').allInnerTexts();
    expect(new Set(words)).toEqual(new Set(['I', 'love', 'pizza', '<b>bold</b>']));
    expect(complaints).toEqual([]);
  });

  it('says what to do while there are no streams', async () => {
    server.play([]);
    await open();
    await page.waitForSelector('#empty:not([hidden])');
    expect(await text('#example')).toContain(`curl ${url}/ticks`);
    server.play(STREAMS);
    await expect.poll(() => page.isVisible('#empty')).toBe(false);
    expect(complaints).toEqual([]);
  });

  it('pages and searches through all streams', async () => {
    server.play(Array.from({ length: 2500 }, (_, i) => ({ id: `s${i}`, value: () => i })));
    await open();
    await page.locator('#all-streams').scrollIntoViewIfNeeded();
    await expect.poll(() => text('#stream-note')).toMatch(/^1 to 20$/);
    await page.click('#stream-next');
    await expect.poll(() => text('#stream-note')).toBe('21 to 40');
    expect(await text('#stream-rows tr:first-child a')).toBe('s20');
    await page.click('#stream-previous');
    await expect.poll(() => text('#stream-rows tr:first-child a')).toBe('s0');
    await page.fill('#stream-search', 'S249');
    await expect.poll(() => text('#stream-note')).toMatch(/^11 found among 2\s500 streams$/);
  });

  it.each(['/', `/#stream=${encodeURIComponent(HOSTILE[0])}`])('shows hostile ids as text at %s', async (path) => {
    server.play(HOSTILE.map((id) => ({ id, group: id, unit: id, words: [id] })));
    await open(path);
    await expect.poll(() => page.locator('.card h3').allInnerTexts()).toEqual(HOSTILE);
    expect(await page.locator('.group h2').allTextContents()).toEqual(HOSTILE);
    await page.locator('#all-title').scrollIntoViewIfNeeded();
    await expect.poll(() => page.locator('#stream-rows a').allInnerTexts()).toEqual(HOSTILE);
    if (path !== '/') await expect.poll(() => page.locator('.trace .word').first().innerText()).toBe(HOSTILE[0]);
    expect(await page.locator('body img, body script').count()).toBe(0);
    expect(await page.evaluate(`'hacked' in window`)).toBe(false);
    for (const id of path === '/' ? HOSTILE : []) {
      await page.locator('#stream-rows a', { hasText: id }).click();
      await expect.poll(() => text('#detail-title')).toBe(id);
      await page.waitForSelector('.trace tbody tr');
      await page.keyboard.press('Escape');
    }
    expect(complaints).toEqual([]);
  });

  it.each([320, 390, 768, 1920])('fits a window %i wide', async (width) => {
    server.play([...STREAMS, { id: 'x'.repeat(256), group: 'y'.repeat(200), unit: 'furlongs per fortnight' }]);
    await open('/', { viewport: { width, height: 800 } });
    await page.waitForSelector(`${card('host.cpu')}`);
    await page.locator('#all-title').scrollIntoViewIfNeeded();
    await expect.poll(() => page.locator('#stream-rows tr').count()).toBe(7);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await page.goto(`${url}/#stream=host.cpu`);
    await page.waitForSelector('.trace tbody tr');
    expect(await page.evaluate(`detail.scrollWidth - detail.clientWidth`)).toBe(0);
    expect(complaints).toEqual([]);
  });
});
