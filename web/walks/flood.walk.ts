import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { decode, intProp } from '../src/protocol/message.ts';
import { Operator } from './api.ts';
import { launch, openShell, signIn, visit } from './browser.ts';
import { Fleet } from './programs.ts';

let browser: Browser;
let fleet: Fleet;
let deviceId: string;
let operator: Operator;

beforeAll(async () => {
  fleet = await Fleet.start();
  fleet.startAgent();
  operator = await Operator.signIn(fleet.url);
  deviceId = await operator.acceptFirst();
  // Drawing by processor in WebGL's place would be measured here and nothing else.
  browser = await launch({ gpu: false });
});
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
});

afterEach(() => operator.endSessions());

/** What the page takes in beyond what it has drawn: the window of its hello. Nothing goes beyond it. */
const WINDOW_BYTES = 512 * 1024;

/** Follows a page's websockets: output on its way to the screen, as offsets tell it. */
class Window {
  private sent = 0;
  /** Bytes the page has acknowledged as drawn. */
  shown = 0;
  /** The most that was sent and not acknowledged. */
  most = 0;

  constructor(page: Page) {
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => this.follow(payload));
      socket.on('framesent', ({ payload }) => this.follow(payload));
    });
  }

  private follow(payload: string | Buffer): void {
    if (typeof payload === 'string') return;
    const { type, props, body } = decode(payload);
    const offset = intProp(props, 'offset');
    if (offset === undefined) return;
    // An acknowledgement of what came before a screen may follow it, and changes nothing.
    if (type === 'ack') this.shown = Math.max(this.shown, offset);
    // In place of what was not taken in time: nothing is under way any more.
    else if (type === 'screen') [this.sent, this.shown] = [offset, offset];
    // Both ways there are bodies with offsets; only the server's have a time.
    else if (type === 'shell' && props.has('time_ms')) this.sent = offset + body.length;
    this.most = Math.max(this.most, this.sent - this.shown);
  }
}

async function openTerminal() {
  const { page, close } = await visit(browser, fleet.url, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const window = new Window(page);
  await signIn(page, fleet.url);
  const terminal = await openShell(page, fleet.url, deviceId);
  return { page, close, window, terminal };
}

test('100 MB of output leave the page responsive and reach their end', async () => {
  const { page, close, terminal } = await openTerminal();
  await terminal.enter(
    'yes 0123456789abcdef0123456789abcdef0123456789abcdef | head -c 100000000; echo; echo all of it',
  );
  await terminal.shows(/^0123456789abcdef/);

  // In the middle of the flood a menu opens and closes, and a reload of the list is answered.
  const over = terminal.shows(/^all of it$/, 150_000).then(() => 'over' as const);
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Larger text' }).click();
  await page.getByRole('menuitem', { name: 'Smaller text' }).click();
  await page.keyboard.press('Escape');
  const still = await Promise.race([over, page.evaluate(() => 'flooding' as const)]);
  expect(still).toBe('flooding');

  expect(await over).toBe('over');
  await close();
});

test('Ctrl-C ends an endless flood, of which never more than the window was on its way', async () => {
  const { page, close, terminal, window } = await openTerminal();
  await terminal.enter('yes flood');
  await expect.poll(() => window.shown).toBeGreaterThan(100_000);
  await page.keyboard.press('Control+C');
  await terminal.enter('echo calm $((3*7))');
  await terminal.shows(/^calm 21$/, 60_000);
  expect(window.most).toBeLessThanOrEqual(WINDOW_BYTES);
  await close();
});

test('a large paste arrives whole', async () => {
  const { close, terminal } = await openTerminal();
  const line = `${'paste me '.repeat(7)}\n`;
  const text = line.repeat(4096);
  // The far end takes bytes as they come: a terminal in line mode would cut and translate them.
  await terminal.enter(
    `stty raw -echo; echo re""ady; head -c ${text.length} | tr '\\r' '\\n' | cksum; stty sane`,
  );
  await terminal.shows(/^ready$/);
  await terminal.paste(text);
  const [, sum] = await terminal.shows(/^\s*(\d+ \d+)$/, 60_000);
  expect(sum).toBe(`${cksum(Buffer.from(text))} ${text.length}`);
  await close();
});

/** POSIX cksum: the far end has it everywhere. */
function cksum(bytes: Buffer): number {
  let crc = 0;
  const feed = (byte: number) => {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  };
  for (const byte of bytes) feed(byte);
  for (let length = bytes.length; length > 0; length = Math.floor(length / 256))
    feed(length & 0xff);
  return ~crc >>> 0;
}
