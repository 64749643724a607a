import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Operator, PaperDevice } from './api.ts';
import { launch, signIn, visit } from './browser.ts';
import { Fleet } from './programs.ts';

let browser: Browser;
let fleet: Fleet;

beforeAll(async () => {
  fleet = await Fleet.start();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
});

// The walks of this file build on each other: an empty server slowly gets its fleet.

test('an empty server teaches how to enrol a device, and notices the first one by itself', async () => {
  const { page, close } = await visit(browser, fleet.url);
  await signIn(page, fleet.url);
  await page.getByRole('heading', { name: 'Connect your first device' }).waitFor();
  await page.getByText(`longwire-agent daemon --server ${fleet.url}`).waitFor();
  await new PaperDevice({ mac: '02:00:00:00:00:01' }).ask(fleet.url);
  await page.getByRole('button', { name: /^Review / }).waitFor();
  await close();
});

test('a pending device is accepted after its fingerprint was shown, and connects before one’s eyes', async () => {
  const { page, close } = await visit(browser, fleet.url);
  await signIn(page, fleet.url);
  const agent = fleet.startAgent();
  const [fingerprint] = await agent.says(/SHA256:[A-Za-z0-9+/]{43}/);
  await page.getByRole('button', { name: /^Pending/ }).click();

  // The page cuts fingerprints into groups; without the gaps it is the one the agent prints.
  const row = page.getByRole('row').filter({
    has: page.locator('code').filter({ hasText: fingerprint.slice(7, 11) }),
  });
  await row.getByRole('button', { name: /^Review / }).click();
  const dialog = page.getByRole('dialog', { name: /^Accept / });
  const shown = (await dialog.locator('code').first().textContent()) ?? '';
  expect(shown.replace('Fingerprint', '').replace(/\s/g, '')).toBe(fingerprint);
  await dialog.getByRole('button', { name: 'Accept device' }).click();
  await dialog.waitFor({ state: 'hidden' });

  await page.getByRole('button', { name: /^Accepted/ }).click();
  await page
    .getByRole('row')
    .filter({ hasText: /Connected/ })
    .waitFor();
  await agent.stop();
  await page.getByRole('row').filter({ hasText: 'Last seen' }).waitFor();
  await close();
});

test('Identity → ID', async () => {
  const operator = await Operator.signIn(fleet.url);
  const [device] = await operator.devices('accepted');
  const { page, close } = await visit(browser, fleet.url, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  await signIn(page, fleet.url);
  await page.getByRole('row').filter({ hasText: 'Accepted' }).getByRole('link').first().click();
  await page.getByRole('link', { name: 'Identity' }).click();
  const id = page.locator('dt', { hasText: /^ID$/ }).locator('xpath=following-sibling::dd');
  expect(await id.locator('code').textContent()).toBe(device?.id);
  await page.getByRole('button', { name: 'Copy ID' }).click();
  await page.getByRole('button', { name: 'ID copied' }).waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(device?.id);
  await close();
});

test('a key that replaces a known one is a loud matter', async () => {
  const operator = await Operator.signIn(fleet.url);
  const identity = { mac: '02:00:00:00:00:07' };
  const first = new PaperDevice(identity);
  await first.ask(fleet.url);
  const device = (await operator.devices('pending')).find(({ auth_sets }) => auth_sets.length > 0);
  const pending = await (await operator.call('GET', '/v1/longwire/devices?status=pending')).json();
  const known = pending.find(
    (each: { identity: { mac: string } }) => each.identity.mac === identity.mac,
  );
  expect(device).toBeDefined();
  await operator.accept(known.id, known.auth_sets[0].id);
  const second = new PaperDevice(identity);
  await second.ask(fleet.url);

  const { page, close } = await visit(browser, fleet.url);
  await signIn(page, fleet.url);
  await page.goto(`${fleet.url}/devices/${known.id}`);
  await page.getByText('Somebody asks to use this device’s identity with a new key').waitFor();
  await page.getByRole('button', { name: 'Review' }).click();
  const dialog = page.getByRole('dialog', { name: /^Replace the key of / });
  await dialog.getByText('This device is already known by another key.').waitFor();
  const shown = (await dialog.locator('code').allTextContents()).map((text) =>
    text.replace('Fingerprint', '').replace(/\s/g, ''),
  );
  expect(shown.slice(0, 2)).toEqual([first.fingerprint, second.fingerprint]);
  const replace = dialog.getByRole('button', { name: 'Replace key' });
  expect(await replace.isDisabled()).toBe(true);
  await dialog.getByLabel('I have compared the new fingerprint with the device').check();
  await replace.click();
  await dialog.waitFor({ state: 'hidden' });
  expect(await first.ask(fleet.url)).toBeUndefined();
  expect(await second.ask(fleet.url)).toBeDefined();
  await close();
});

test('tabs count, search finds, and a rejected device leaves Pending', async () => {
  const { page, close } = await visit(browser, fleet.url);
  await signIn(page, fleet.url);
  await page.getByRole('button', { name: /^Pending\s*1$/ }).click();
  await page.getByRole('button', { name: /^Review / }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Reject' }).click();
  await page.getByText('No device is waiting.').waitFor();
  await page.getByRole('button', { name: /^Rejected\s*1$/ }).click();
  await page.getByRole('row').filter({ hasText: 'Rejected' }).waitFor();

  await page.getByRole('button', { name: /^All\s*3$/ }).click();
  await page.getByLabel('Search devices').fill('02:00:00:00:00:07');
  await expect.poll(() => page.getByRole('row').count()).toBe(2);
  await page.getByLabel('Search devices').fill('nothing has this name');
  await page.getByText('No device matches').waitFor();
  await close();
});

test('a wrong password is told, and signing out closes the door', async () => {
  const { page, close } = await visit(browser, fleet.url);
  await page.goto(fleet.url);
  await page.getByLabel('Email').fill('admin@example.org');
  await page.getByRole('textbox', { name: 'Password' }).fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('This email and password do not match.').waitFor();
  await signIn(page, fleet.url);
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await page.goto(`${fleet.url}/devices`);
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await close();
});
