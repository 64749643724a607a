/** Pictures of every page, light and dark, on a desktop and on a phone, from the real programs. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { Operator, PaperDevice } from './api.ts';
import { launch, signIn, TerminalReader, visit } from './browser.ts';
import { Network } from './network.ts';
import { Fleet, PERSON } from './programs.ts';

const folder = path.resolve(import.meta.dirname, '../../artefacts/screenshots');

const LIVE = ['pump-17', 'gateway-basel-02', 'turbine-a1'];
const OFFLINE: [name: string, os: string, arch: string][] = [
  ['kiosk-lobby', 'Debian GNU/Linux 12 (bookworm)', 'x86_64'],
  ['cold-store-2', 'Poky 5.0 (scarthgap)', 'armv7l'],
];

const COLLEAGUE = { email: 'bo.meier@example.org', password: 'a second pair of eyes' };

let browser: Browser;
let empty: Fleet;
let fleet: Fleet;
let network: Network;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  browser = await launch();
  empty = await Fleet.start();
  fleet = await Fleet.start();
  network = await Network.before(fleet.url);
  await fleet.addPerson(COLLEAGUE.email, COLLEAGUE.password, 'admin');
  const operator = await Operator.signIn(fleet.url);
  for (const [at, name] of LIVE.entries()) {
    // The first one's network is cut for a picture.
    fleet.startAgent(`52:54:00:4c:57:0${at}`, at === 0 ? network.url : fleet.url);
    await operator.name(await operator.acceptFirst(), name);
  }
  for (const [at, [name, os, arch]] of OFFLINE.entries()) {
    const mac = `52:54:00:4c:57:1${at}`;
    const device = new PaperDevice({ mac });
    await device.ask(fleet.url);
    const id = await operator.acceptFirst();
    await device.tell(fleet.url, {
      hostname: name,
      os,
      arch,
      kernel: '6.6.51',
      agent_version: '0.1.0',
    });
    if (name === 'cold-store-2') await new PaperDevice({ mac }).ask(fleet.url);
    await operator.name(id, name);
  }
  const mac = '52:54:00:4c:57:20';
  await new PaperDevice({ mac, hostname: 'weather-station-4' }).ask(fleet.url);
});
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
  await network?.stop();
  await empty?.stop();
});

describe.each([
  ['desktop', { width: 1440, height: 900 }],
  ['phone', { width: 390, height: 844 }],
] as const)('%s', (size, viewport) => {
  test.each(['light', 'dark'] as const)('%s', async (colorScheme) => {
    const open = (url: string) =>
      visit(browser, url, { viewport, colorScheme, hasTouch: size === 'phone' });
    const take = async (page: Page, name: string) => {
      await page.evaluate(() => document.fonts.ready);
      await page.screenshot({
        path: path.join(folder, `${name}-${size}-${colorScheme}.png`),
        animations: 'disabled',
      });
    };

    const first = await open(empty.url);
    await first.page.goto(empty.url);
    await first.page.getByLabel('Email').fill(PERSON.email);
    await take(first.page, 'sign-in');
    await signIn(first.page, empty.url);
    await first.page.getByText('Waiting for a device to ask').waitFor();
    await take(first.page, 'devices-empty');
    await first.close();

    const { page, close } = await open(fleet.url);
    await signIn(page, fleet.url);
    await page.getByRole('link', { name: 'cold-store-2', exact: true }).waitFor();
    await take(page, 'devices');
    for (const [button, name] of [
      [/^Review weather/, 'accept'],
      [/^Review cold/, 'replace-key'],
      [/^Add device/, 'add-device'],
    ] as const) {
      await page.getByRole('button', { name: button }).click();
      await page.getByRole('dialog').waitFor();
      await take(page, name);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
    }
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
    await take(page, 'account');
    await page.keyboard.press('Escape');

    await page.getByRole('link', { name: 'cold-store-2', exact: true }).click();
    await page.getByText('Known since').waitFor();
    await take(page, 'identity');
    await page.getByRole('link', { name: 'Inventory' }).click();
    await page.getByText('kernel').waitFor();
    await take(page, 'inventory');
    await page.getByRole('link', { name: 'Troubleshooting' }).click();
    await page.getByText('Why is it not connected?').waitFor();
    await take(page, 'troubleshooting-offline');

    await page.goto(fleet.url);
    await page.getByRole('link', { name: 'pump-17', exact: true }).click();
    await page.getByRole('link', { name: 'Troubleshooting' }).click();
    await page.getByRole('link', { name: 'Connect terminal' }).waitFor();
    await take(page, 'troubleshooting');
    await page.getByRole('link', { name: 'Connect terminal' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    const terminal = new TerminalReader(page);
    await terminal.enter("PS1='\\[\\e[1;32m\\]root@pump-17\\[\\e[0m\\]:\\w# '; clear");
    await terminal.shows(/^root@pump-17:/);
    const long = size === 'phone' ? '' : '-l';
    await terminal.enter(`ls ${long} --color /etc/apt /usr`);
    await terminal.shows(/^root@pump-17:~#$/);
    await terminal.enter('grep PRETTY_NAME /etc/os-release; id -un; echo $((6*7))');
    await terminal.shows(/^42$/);
    await take(page, 'terminal');
    await page.keyboard.press('Control+Shift+F');
    await page.getByLabel('Find in terminal').fill('root');
    await page.getByText(/^\d+ of \d+$/).waitFor();
    await take(page, 'terminal-find');
    await page.keyboard.press('Escape');

    // A colleague looks on.
    const other = await open(fleet.url);
    await signIn(other.page, fleet.url, COLLEAGUE);
    await other.page.goto(`${page.url()}?watch`);
    await other.page.getByText('Watching', { exact: true }).waitFor();
    await new TerminalReader(other.page).shows(/^42$/);
    await take(other.page, 'terminal-watching');
    await page.getByRole('button', { name: /^Who is here/ }).click();
    await page.getByText(COLLEAGUE.email).waitFor();
    await take(page, 'terminal-presence');
    await page.keyboard.press('Escape');
    await other.page.getByRole('button', { name: 'Take control' }).click();
    await page.getByText(/has taken control\.$/).waitFor();
    await take(page, 'terminal-taken-over');
    await page.getByRole('button', { name: 'Take it back' }).click();
    await other.page.getByText('Watching', { exact: true }).waitFor();
    await other.page.goto(`${fleet.url}/sessions`);
    await other.page.getByRole('link', { name: 'pump-17' }).waitFor();
    await take(other.page, 'sessions');
    await other.page.getByRole('button', { name: /^More about / }).click();
    await other.page.getByRole('menuitem', { name: 'End session…' }).click();
    await other.page.getByRole('dialog').waitFor();
    await take(other.page, 'session-end');
    await other.close();

    network.cut();
    await page.getByText(/pump-17 has been away for /).waitFor();
    await page.locator('.xterm-helper-textarea').focus();
    await page.keyboard.type('x');
    await page.getByText('Not sent:').waitFor();
    await take(page, 'terminal-device-away');
    network.mend();
    await page.getByText('pump-17 is back').waitFor({ timeout: 90_000 });
    await take(page, 'terminal-device-back');

    await page.getByRole('link', { name: 'Back to the device' }).click();
    await page.getByText('Live sessions').waitFor();
    await take(page, 'troubleshooting-session');
    await page.getByRole('link', { name: 'Connect terminal' }).click();
    await page.getByRole('heading', { name: /^You have a session on / }).waitFor();
    await take(page, 'terminal-resume');
    await page.getByRole('link', { name: /^Resume / }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    await terminal.enter('exit');
    await page.getByText('Shell exited with status 0').waitFor();
    await take(page, 'terminal-ended');
    await close();
  });
});
