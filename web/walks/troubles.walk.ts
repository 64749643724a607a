import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Operator, PaperDevice } from './api.ts';
import { isLive, launch, openShell, signIn, TerminalReader, visit } from './browser.ts';
import { Fleet, type Program } from './programs.ts';

const WATCHER = { email: 'watcher@example.org', password: 'only looking around' };

let browser: Browser;
let fleet: Fleet;
let agent: Program;
let deviceId: string;
let operator: Operator;

beforeAll(async () => {
  fleet = await Fleet.start();
  agent = fleet.startAgent();
  operator = await Operator.signIn(fleet.url);
  deviceId = await operator.acceptFirst();
  await fleet.addPerson(WATCHER.email, WATCHER.password, 'observer');
  browser = await launch({ gpu: false });
});
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
});

afterEach(() => operator.endSessions());

async function openTerminal(options: Parameters<typeof visit>[2] = {}) {
  const { page, close } = await visit(browser, fleet.url, options);
  await signIn(page, fleet.url);
  const terminal = await openShell(page, fleet.url, deviceId);
  return { page, close, terminal };
}

test('a phone is enough', async () => {
  const { page, close, terminal } = await openTerminal({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });
  await terminal.enter('echo $((6*7)); stty size');
  await terminal.shows(/^42$/);
  const [, columns] = await terminal.shows(/^\d+ (\d+)$/);
  expect(Number(columns)).toBeLessThan(60);
  // Nothing of the page is wider than the phone.
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'End session' }).click();
  await page.getByText('You ended this session').waitFor();
  await close();
});

test('a program that wants the clipboard asks first', async () => {
  const { page, close, terminal } = await openTerminal({
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await page.evaluate(() => navigator.clipboard.writeText('mine'));
  const wish = `printf '\\033]52;c;%s\\007' ${Buffer.from('theirs').toString('base64')}`;
  await terminal.enter(wish);
  await page.getByText('wants to put 6 characters on your clipboard').waitFor();
  await page.getByRole('button', { name: 'Refuse' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('mine');
  await terminal.enter(wish);
  await page.getByRole('button', { name: 'Allow' }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('theirs');
  await close();
});

test('who may only look is told why there is no terminal, and decides nothing', async () => {
  await new PaperDevice({ mac: '02:00:00:00:00:30' }).ask(fleet.url);
  const { page, close } = await visit(browser, fleet.url);
  await signIn(page, fleet.url, WATCHER);
  await page.getByRole('row').filter({ hasText: 'Pending' }).waitFor();
  expect(await page.getByRole('button', { name: /^Review / }).count()).toBe(0);
  await page.goto(`${fleet.url}/devices/${deviceId}/troubleshooting`);
  await page.getByText('Your role does not allow terminals on devices.').waitFor();
  expect(await page.getByRole('button', { name: 'Connect terminal' }).isDisabled()).toBe(true);
  await page.goto(`${fleet.url}/devices/${deviceId}/identity`);
  await page.getByText('Known since').waitFor();
  expect(await page.getByRole('button', { name: 'Decommission…' }).count()).toBe(0);
  await close();
});

test('a device that loses its power is told at once; restarted, it has lost the session', async () => {
  const { page, close } = await openTerminal();
  await agent.kill();
  await page.getByText(/ has been away for /).waitFor();
  await page.getByText('Device away', { exact: true }).waitFor();
  agent = fleet.startAgent();
  await page.getByText('The device lost this session').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'New terminal' }).click();
  await isLive(page);
  const terminal = new TerminalReader(page);
  await terminal.enter('echo anew $((1+4))');
  await terminal.shows(/^anew 5$/);
  await close();
});

test('a server that is restarted is told on every page, and the terminal goes on', async () => {
  const { page, close } = await visit(browser, fleet.url, {}, [/ERR_|WebSocket|status of 5/]);
  await signIn(page, fleet.url);
  const terminal = await openShell(page, fleet.url, deviceId);
  const other = await page.context().newPage();
  await other.goto(`${fleet.url}/devices`);
  await other.getByText('Connected', { exact: true }).first().waitFor();
  await fleet.stopServer();
  await page.getByText('Connection to the server lost.').waitFor();
  await other.getByText('Live updates interrupted').waitFor();
  await fleet.startServer();
  await other.getByText('Live updates interrupted').waitFor({ state: 'hidden', timeout: 60_000 });
  await isLive(page);
  await terminal.enter('echo here $((1+3))');
  await terminal.shows(/^here 4$/);
  await close();
});
