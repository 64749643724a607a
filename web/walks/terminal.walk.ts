import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Operator } from './api.ts';
import { isLive, launch, signIn, TerminalReader, visit } from './browser.ts';
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
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
});

afterEach(() => operator.endSessions());

async function openTerminal() {
  const { page, close } = await visit(browser, fleet.url, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await signIn(page, fleet.url);
  const row = page.getByRole('row').filter({ hasText: deviceId.slice(0, 8) });
  await row.getByText('Connected', { exact: true }).waitFor();
  await row.getByRole('link').first().click();
  await page.getByRole('link', { name: 'Troubleshooting' }).click();
  await page.getByRole('link', { name: 'Connect terminal' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
  return { page, close, terminal: new TerminalReader(page) };
}

test('Devices → device → Troubleshooting → Connect terminal: type, resize, end', async () => {
  const { page, close, terminal } = await openTerminal();
  await terminal.enter('echo $((6*7))');
  await terminal.shows(/^42$/);

  const before = await terminal.size();
  await page.setViewportSize({ width: 1000, height: 640 });
  await expect.poll(() => terminal.size()).not.toEqual(before);
  const after = await terminal.size();
  expect(after.cols).toBeLessThan(before.cols);
  await terminal.enter('stty size');
  await terminal.shows(new RegExp(`^${after.rows} ${after.cols}$`));

  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByText('You ended this session').waitFor();
  await close();
});

test('item_16 the size is right at the first prompt', async () => {
  const { close, terminal } = await openTerminal();
  const { cols, rows } = await terminal.size();
  // No program but the shell itself has asked for the size: nothing has had time to correct it.
  await terminal.enter('echo "$LINES-$COLUMNS"; stty size');
  await terminal.shows(new RegExp(`^${rows} ${cols}$`));
  expect(cols).toBeGreaterThan(100);
  await close();
});

test('the shell’s own end tells its status, and a new one opens on the same page', async () => {
  const { page, close, terminal } = await openTerminal();
  await terminal.enter('exit 3');
  await page.getByText('Shell exited with status 3').waitFor();
  await page.getByRole('button', { name: 'New terminal' }).click();
  await page.getByText('Live', { exact: true }).waitFor();
  await terminal.enter('echo again $((40+4))');
  await terminal.shows(/^again 44$/);
  await terminal.enter('exit');
  await page.getByText('Shell exited with status 0').waitFor();
  await close();
});

test('typing, interrupting and full-screen programs work, and the title follows the shell', async () => {
  const { page, close, terminal } = await openTerminal();
  // Letters that are on no key of the driver's keyboard come by the clipboard.
  await terminal.paste('printf "Grüße %s\\n" "$((20+2)) ✓"');
  await page.keyboard.press('Enter');
  await terminal.shows(/^Grüße 22 ✓$/);

  // Between a line and the start of its command a shell may take an interrupt for nobody's.
  await terminal.enter('echo sl""eeping; sleep 600');
  await terminal.shows(/^sleeping$/);
  await page.keyboard.press('Control+C');
  await terminal.enter('echo status $?');
  await terminal.shows(/^status 130$/);

  await terminal.enter('vi -u NONE');
  await terminal.shows(/^~$/);
  await page.keyboard.type('ia line in the editor');
  await terminal.shows(/^a line in the editor$/);
  await page.keyboard.press('Escape');
  await terminal.enter(':q!');
  await terminal.enter("printf '\\033]0;deploying\\007'");
  await expect.poll(() => page.title()).toMatch(/^deploying · .* — Longwire$/);
  await close();
});

test('find marks what is on screen and gives the keys back to the shell', async () => {
  const { page, close, terminal } = await openTerminal();
  await terminal.enter('for n in 1 2 3; do echo need""le-$n; done');
  await terminal.shows(/^needle-3$/);
  await page.keyboard.press('Control+Shift+F');
  await page.getByLabel('Find in terminal').fill('needle-');
  await page.getByText('3 of 3').waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('2 of 3').waitFor();
  await page.keyboard.press('Escape');
  await terminal.enter('echo back $((1+1))');
  await terminal.shows(/^back 2$/);
  await close();
});

test('leaving the page leaves the session: it goes on, and is offered again', async () => {
  const { page, close, terminal } = await openTerminal();
  await terminal.enter('echo still here; cd /usr');
  await terminal.shows(/^still here$/);
  await page.getByRole('link', { name: 'Back to the device' }).click();
  await page.getByText('Your session goes on', { exact: true }).waitFor();
  const list = page.locator('section').filter({ hasText: 'Live sessions' });
  await list.getByText(/^Detached/).waitFor();

  await page.getByRole('link', { name: 'Connect terminal' }).click();
  await page.getByRole('heading', { name: /^You have a session on / }).waitFor();
  await page.getByRole('link', { name: /^Resume / }).click();
  await isLive(page);
  await terminal.shows(/^still here$/);
  await terminal.enter('pwd');
  await terminal.shows(/^\/usr$/);
  await page.getByRole('button', { name: 'End session' }).click();
  await page.getByText('You ended this session').waitFor();
  await close();
});

test('the whole way goes by keyboard alone', async () => {
  const { page, close } = await visit(browser, fleet.url);
  await page.goto(`${fleet.url}/devices/${deviceId}/troubleshooting`);
  await page.getByLabel('Email').waitFor();
  await page.keyboard.type('admin@example.org');
  await page.keyboard.press('Tab');
  await page.keyboard.type('correct horse battery staple');
  await page.keyboard.press('Enter');
  // The address asked for before signing in is where one arrives.
  const connect = page.getByRole('link', { name: 'Connect terminal' });
  await connect.waitFor();
  for (let tabs = 0; tabs < 30; tabs++) {
    if (await connect.evaluate((link) => link === document.activeElement)) break;
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await page.getByText('Live', { exact: true }).waitFor();
  const terminal = new TerminalReader(page);
  await terminal.enter('echo keys $((2+3))');
  await terminal.shows(/^keys 5$/);
  await page.keyboard.press('Control+Shift+M');
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
    .toBe('Back to the device');
  await close();
});
