/**
 * The console in a real Chromium against a real server: what it shows is what the database says, it works from the keyboard,
 * takes something away only in two steps, and breaks no rule of its own content security policy. Pictures of each page go
 * to the directory in CONSOLE_SCREENSHOTS, for somebody to look at. Skipped, and said so, where there is no Chromium.
 */
import {accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Client, connect, holderIdFrom, type ResourceId, resourceIdFrom} from '@allocdb/client';
import {type Browser, chromium, type Page} from 'playwright-core';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {AllocDbServer, createLog, defaultConfig, generateToken} from '../../src/index.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'];
const SLOT_MS = 100;
const BATCH = 5000;
const TIMEOUT_MS = 30_000;

function isInstalled(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (!isInstalled(CHROMIUM)) process.stderr.write('SKIPPED: Chromium is not installed\n');

const dir = mkdtempSync(join(tmpdir(), 'allocdb-console-'));
const pictures = process.env['CONSOLE_SCREENSHOTS'] ?? dir;
const tokens = {read: generateToken(), operate: generateToken()};
const holder = holderIdFrom('order 4711');
let browser: Browser;
let server: AllocDbServer;
let client: Client;
let url: string;

async function start(name: string, resources: number): Promise<void> {
  const tokenFile = join(dir, `${name}.tokens`);
  writeFileSync(
    tokenFile,
    `${tokens.read.hashLine('viewer', 'read')}\n${tokens.operate.hashLine('operator', 'operate')}\n`,
  );
  server = await AllocDbServer.start({
    dir: join(dir, name),
    listen: {host: '127.0.0.1', port: 0},
    http: {listen: {host: '127.0.0.1', port: 0}},
    config: defaultConfig(SLOT_MS),
    slotDurationMs: SLOT_MS,
    trustClientSlots: false,
    tokenFile,
    anonymousRole: null,
    maxConnections: 100,
    checkpoint: {},
    log: createLog({level: 'error'}),
  });
  client = await connect(`allocdb://127.0.0.1:${server.address.port}`, {token: tokens.operate.token});
  for (let first = 0; first < resources; first += BATCH) {
    const count = Math.min(BATCH, resources - first);
    const commands = Array.from({length: count}, (_, i) => ({
      command: 'create_resource' as const,
      resource: seat(first + i),
    }));
    await client.batch(commands);
  }
  url = `http://127.0.0.1:${server.httpAddress?.port}/console/`;
}

async function stop(): Promise<void> {
  await client.close();
  await server.stop();
}

function seat(i: number): ResourceId {
  return resourceIdFrom(`seat ${i}`);
}

/** Opens the console with a token; what the browser complains of is collected. */
async function open(token: string | null, complaints: string[] = []): Promise<Page> {
  const page = await browser.newPage({viewport: {width: 1400, height: 900}});
  page.setDefaultTimeout(TIMEOUT_MS);
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  await page.goto(url);
  if (token === null) return page;
  await page.locator('#token').fill(token);
  await page.keyboard.press('Enter');
  await page.locator('#status', {hasText: /^lsn/}).waitFor();
  return page;
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({path: join(pictures, `${name}.png`)});
}

async function reserved(i: number): Promise<string> {
  const answer = await client.reserve({resource: seat(i), holder, ttlSlots: 5000});
  if (answer.result !== 'reserved') throw new Error(answer.result);
  return answer.lease.id;
}

async function confirmed(i: number): Promise<string> {
  const reservation = (await reserved(i)) as Parameters<Client['confirm']>[0]['reservation'];
  expect((await client.confirm({reservation, holder})).result).toBe('confirmed');
  return reservation;
}

describe.skipIf(!isInstalled(CHROMIUM))('the console', () => {
  beforeAll(async () => {
    mkdirSync(pictures, {recursive: true});
    browser = await chromium.launch({executablePath: CHROMIUM, args: ARGS});
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(dir, {recursive: true, force: true});
  });

  describe('over a small hall', () => {
    beforeAll(async () => {
      await start('small', 240);
      for (let i = 0; i < 60; i++) await reserved(i);
      for (let i = 60; i < 90; i++) await confirmed(i);
    });
    afterAll(stop);

    test('asks for a token, refuses a wrong one, and shows with the right one what the database says', async () => {
      const page = await open(null);
      await page.locator('#token-dialog[open]').waitFor();
      await picture(page, 'token');
      await page.locator('#token').fill('wrong');
      await page.keyboard.press('Enter');
      await page.locator('#token-why', {hasText: 'does not accept'}).waitFor();
      const complaints: string[] = [];
      const right = await open(tokens.read.token, complaints);
      await right.locator('#legend .available', {hasText: '150'}).waitFor();
      expect(await right.locator('#legend').allInnerTexts()).toEqual([
        expect.stringMatching(/available 150\s+reserved 60\s+confirmed 30\s+revoking 0/),
      ]);
      await right.locator('#status', {hasText: 'as viewer (read)'}).waitFor();
      await right.locator('#holds tr').first().waitFor();
      await right.locator('#rate-now', {hasText: 'agreed'}).waitFor();
      await picture(right, 'light');
      await right.locator('#theme').click();
      expect(await right.evaluate('document.documentElement.dataset.theme')).toBe('dark');
      await picture(right, 'dark');
      // The one complaint is of the request that asked without a token.
      expect(complaints.filter(text => !text.includes('401'))).toEqual([]);
      await Promise.all([page.close(), right.close()]);
    });

    test('does not ask again for a token that somebody has not got, until they want to be asked', async () => {
      const page = await open(null);
      await page.locator('#token-dialog[open]').waitFor();
      await page.keyboard.press('Escape');
      for (let i = 0; i < 2; i++) await page.waitForResponse(response => response.status() === 401);
      // What was answered has been dealt with by the time of the next turn.
      await page.evaluate('new Promise(resolve => setTimeout(resolve))');
      expect(await page.locator('#token-dialog[open]').count()).toBe(0);
      await page.locator('#alarm', {hasText: 'No token'}).waitFor();
      await page.locator('#access').click();
      await page.locator('#token').fill(tokens.read.token);
      await page.keyboard.press('Enter');
      await page.locator('#status', {hasText: /^lsn/}).waitFor();
      expect(await page.locator('#alarm').isHidden()).toBe(true);
      const {href, kept} = (await page.evaluate('({href: location.href, kept: JSON.stringify(localStorage)})')) as {
        href: string;
        kept: string;
      };
      for (const place of [href, kept]) expect(place).not.toContain(tokens.read.token);
      await page.close();
    });

    test('says what is wrong with what was asked for, until something else is', async () => {
      const page = await open(tokens.read.token);
      await page.locator('#find-id').fill('<b>seat</b>');
      await page.keyboard.press('Enter');
      await page.locator('#notice:not([hidden])').waitFor();
      const told = await page.locator('#notice').textContent();
      for (let i = 0; i < 2; i++) await page.waitForResponse('**/v1/resources/states');
      expect(await page.locator('#notice').textContent()).toBe(told);
      await picture(page, 'notice');
      await page.locator('#find-id').fill(seat(0));
      await page.keyboard.press('Enter');
      await page.locator('#detail-title', {hasText: seat(0)}).waitFor();
      expect(await page.locator('#notice').isHidden()).toBe(true);
      await page.close();
    });

    test('works from the keyboard: choose on the map, show, close', async () => {
      const page = await open(tokens.read.token);
      await page.locator('#legend .available', {hasText: '150'}).waitFor();
      await page.locator('#map').focus();
      for (const key of ['Home', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
      await page.locator('#cell', {hasText: '3 of 240: reserved'}).waitFor();
      await page.keyboard.press('Enter');
      await page.locator('#detail-title', {hasText: seat(2)}).waitFor();
      await page.locator('#facts', {hasText: holder}).waitFor();
      await page.locator('#history li', {hasText: 'create resource'}).waitFor();
      expect(await page.evaluate('document.activeElement.id')).toBe('detail');
      expect(await page.locator('#actions button').count()).toBe(0);
      await picture(page, 'detail');
      await page.keyboard.press('Escape');
      expect(await page.locator('#detail').isHidden()).toBe(true);
      expect(await page.evaluate('document.activeElement.id')).toBe('map');
      await page.close();
    });

    test('takes something away in two steps, and only then', async () => {
      const page = await open(tokens.operate.token);
      const sent: string[] = [];
      page.on('request', request => {
        if (request.method() === 'POST') sent.push(new URL(request.url()).pathname);
      });
      const reservation = await confirmed(100);
      await page.locator('#find-id').fill(seat(100));
      await page.keyboard.press('Enter');
      await page.getByRole('button', {name: 'Revoke…'}).click();
      await picture(page, 'revoke');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('No, leave it');
      await page.keyboard.press('Escape');
      await page.getByRole('button', {name: 'Revoke…'}).waitFor();
      expect(sent).toEqual([]);
      await page.getByRole('button', {name: 'Revoke…'}).click();
      await page.getByRole('button', {name: 'Yes, revoke'}).click();
      await page.getByRole('button', {name: 'Reclaim…'}).click();
      expect((await client.getResource(seat(100))).result).toBe('found');
      await page.getByRole('button', {name: 'Yes, reclaim'}).click();
      await page.locator('#facts', {hasText: 'available'}).waitFor();
      expect(sent).toEqual(['revoke', 'reclaim'].map(action => `/v1/reservations/${reservation}/${action}`));
      await page.locator('#history li', {hasText: 'reclaim'}).waitFor();
      await page.close();
    });

    test('what is open follows what becomes of the resource', async () => {
      const page = await open(tokens.read.token);
      const reservation = (await reserved(110)) as Parameters<Client['confirm']>[0]['reservation'];
      await page.locator('#find-id').fill(seat(110));
      await page.keyboard.press('Enter');
      await page.locator('#facts', {hasText: 'reserved'}).waitFor();
      expect((await client.confirm({reservation, holder})).result).toBe('confirmed');
      await Promise.all([
        page.locator('#latency-now', {hasText: /^p50 ≤ .* [µm]?sp99 ≤ .* [µm]?s$/}).waitFor(),
        page.locator('#facts', {hasText: 'confirmed'}).waitFor(),
      ]);
      const age = page.locator('#history li', {hasText: 'confirm'});
      const before = await age.textContent();
      await expect.poll(() => age.textContent(), {timeout: TIMEOUT_MS}).not.toBe(before);
      // Until the latencies are somewhere within the plot.
      for (let i = 0; i < 4; i++) await page.waitForResponse('**/v1/resources/states');
      await picture(page, 'followed');
      await page.locator('#actions', {hasText: 'takes a token with the role operate'}).waitFor();
      expect(await page.locator('#actions button').count()).toBe(0);
      await page.close();
    });

    test('says that it is not current, and since when, while the server is gone or hangs; goes on when it is back', async () => {
      const page = await open(tokens.operate.token);
      for (const how of ['gone', 'hanging'] as const) {
        await page.route('**/v1/resources/states', route => (how === 'gone' ? route.abort() : undefined));
        await page.locator('#alarm', {hasText: how === 'gone' ? 'does not answer' : 'has not answered yet'}).waitFor();
        await page.locator('#status[data-bad]', {hasText: /^not current: from \d+:\d+:\d+$/}).waitFor();
        expect(await page.locator('body[data-stale]').count()).toBe(1);
        expect(await page.title()).toBe('AllocDB: not current');
        await page.locator('#rate-now', {hasText: 'not known at present'}).waitFor();
        await picture(page, how);
        await page.unroute('**/v1/resources/states');
        await page.locator('#status:not([data-bad])', {hasText: /^lsn/}).waitFor();
        expect(await page.locator('body[data-stale]').count()).toBe(0);
        expect(await page.locator('#alarm').isHidden()).toBe(true);
        expect(await page.title()).toBe('AllocDB');
      }
      await page.close();
    });

    test('says so when the server cannot do its work', async () => {
      const page = await open(tokens.operate.token);
      const reasons = ['halted: writing the log failed; look at the disk and restart the server'];
      const body = JSON.stringify({status: 503, code: 'not_ready', category: 'definite', detail: 'not ready', reasons});
      await page.route('**/readyz?verbose', route =>
        route.fulfill({status: 503, contentType: 'application/problem+json', body}),
      );
      await page.locator('#alarm', {hasText: 'halted: writing the log failed'}).waitFor();
      await picture(page, 'unready');
      // Reads go on.
      await page.locator('#status', {hasText: /^lsn/}).waitFor();
      await page.unroute('**/readyz?verbose');
      await page.locator('#alarm').waitFor({state: 'hidden'});
      await page.close();
    });

    test('fits the screen of a telephone, closed and open', async () => {
      const page = await open(tokens.operate.token);
      await page.setViewportSize({width: 360, height: 740});
      const width = () => page.evaluate('document.documentElement.scrollWidth');
      await expect.poll(width).toBeLessThanOrEqual(360);
      await page.screenshot({path: join(pictures, 'phone.png'), fullPage: true});
      await page.locator('#find-id').fill(seat(60));
      await page.keyboard.press('Enter');
      await page.getByRole('button', {name: 'Revoke…'}).click();
      await page.locator('#history li', {hasText: 'confirm'}).waitFor();
      expect(await width()).toBeLessThanOrEqual(360);
      await picture(page, 'phone_detail');
      await page.close();
    });

    test('what is enlarged stays where it is when resources are created', async () => {
      const page = await open(tokens.read.token);
      await page.locator('#legend .available', {hasText: '1'}).waitFor();
      const map = page.locator('#map');
      await map.focus();
      await page.keyboard.press('End');
      for (let i = 0; i < 4; i++) await page.keyboard.press('+');
      const middle = async (of: number): Promise<string> => {
        await map.click();
        await page.locator('#cell', {hasText: `of ${of}:`}).waitFor();
        return ((await page.locator('#cell').textContent()) ?? '').replace(/ of .*/, '');
      };
      const before = await middle(240);
      await client.batch([{command: 'create_resource', resource: seat(240)}]);
      await page.locator('#fill', {hasText: '241 of'}).waitFor();
      expect(await middle(241)).toBe(before);
      expect(Number(before)).toBeGreaterThan(180);
      await page.close();
    });
  });

  test('says that there is nothing yet', async () => {
    await start('empty', 0);
    const page = await open(tokens.read.token);
    await page.locator('#map-empty:not([hidden])').waitFor();
    await page.locator('#holds-note', {hasText: 'Nothing is held.'}).waitFor();
    await picture(page, 'empty');
    await client.batch([{command: 'create_resource', resource: seat(0)}]);
    await page.locator('#map-empty').waitFor({state: 'hidden'});
    await page.close();
    await stop();
  });

  test('shows a hundred thousand resources, each as it is, also zoomed', async () => {
    const count = 100_000;
    await start('large', count);
    const held = [0, 1, 49_999, 99_998];
    for (const i of held) await reserved(i);
    const complaints: string[] = [];
    const page = await open(tokens.read.token, complaints);
    await page.locator('#legend .reserved', {hasText: '4'}).waitFor();
    await picture(page, 'large');
    await page.locator('#map').focus();
    await page.keyboard.press('Home');
    for (let i = 0; i < 9; i++) await page.keyboard.press('+');
    await page.locator('#cell', {hasText: '1 of 100,000: reserved'}).waitFor();
    await picture(page, 'zoomed');
    await page.keyboard.press('End');
    await page.locator('#cell', {hasText: '100,000 of 100,000: available'}).waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.locator('#cell', {hasText: '99,999 of 100,000: reserved'}).waitFor();
    await page.keyboard.press('Enter');
    await page.locator('#detail-title', {hasText: seat(99_998)}).waitFor();
    expect(complaints.filter(text => !text.includes('401'))).toEqual([]);
    await page.close();
    await stop();
  });
});
