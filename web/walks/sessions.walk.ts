import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { decode, intProp } from '../src/protocol/message.ts';
import { Operator } from './api.ts';
import { isLive, launch, openShell, signIn, TerminalReader, visit } from './browser.ts';
import { Network } from './network.ts';
import { Fleet } from './programs.ts';

const BO = { email: 'bo.meier@example.org', password: 'a second pair of eyes' };
/** What a page may complain about while its server is away. */
const AWAY = [/ERR_|WebSocket|status of 5/];

let browser: Browser;
let fleet: Fleet;
let network: Network;
let operator: Operator;
let deviceId: string;

beforeAll(async () => {
  fleet = await Fleet.start();
  network = await Network.before(fleet.url);
  fleet.startAgent(undefined, network.url);
  operator = await Operator.signIn(fleet.url);
  deviceId = await operator.acceptFirst();
  await operator.name(deviceId, 'pump-17');
  await fleet.addPerson(BO.email, BO.password, 'admin');
  browser = await launch({ gpu: false });
});
afterAll(async () => {
  await browser?.close();
  await fleet?.stop();
  await network?.stop();
});
afterEach(() => operator.endSessions());

/** The output a page was given, by offset, over all its connections. */
class Output {
  private bytes: number[] = [];
  screens = 0;
  /** Offsets at which something else than the next byte came. */
  readonly misplaced: number[] = [];

  constructor(page: Page) {
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => this.follow(payload));
    });
  }

  /** What a loop has counted, in the order it came; the echo of what is typed may stand beside it. */
  get numbers(): number[] {
    const text = Buffer.from(this.bytes).toString();
    return [...text.matchAll(/<(\d+)>/g)].map(([, number]) => Number(number));
  }

  private follow(payload: string | Buffer): void {
    if (typeof payload === 'string') return;
    const { type, props, body } = decode(payload);
    const offset = intProp(props, 'offset');
    if (type === 'screen') this.screens += 1;
    if (type !== 'shell' || offset === undefined || !props.has('time_ms')) return;
    // Nothing left out, nothing twice; a throw would get lost in here.
    if (offset !== this.bytes.length) this.misplaced.push(offset);
    this.bytes.push(...body);
  }
}

async function visitor(options: Parameters<typeof visit>[2] = {}, person?: typeof BO) {
  const { page, close } = await visit(browser, fleet.url, options, AWAY);
  await signIn(page, fleet.url, person);
  return { page, close };
}

async function openTerminal(options: Parameters<typeof visit>[2] = {}) {
  const { page, close } = await visitor(options);
  const output = new Output(page);
  const terminal = await openShell(page, fleet.url, deviceId);
  return { page, close, output, terminal };
}

/** Finds the live session on the device's page. */
async function liveSessions(page: Page) {
  await page.goto(`${fleet.url}/devices/${deviceId}/troubleshooting`);
  const list = page.locator('section').filter({ hasText: 'Live sessions' });
  await list.waitFor();
  return list;
}

test('a tab that is reloaded in the middle of vi goes on in the middle of vi', async () => {
  const { page, close, terminal } = await openTerminal();
  await terminal.enter('echo above the editor');
  await terminal.shows(/^above the editor$/);
  await terminal.enter('vi -u NONE');
  await terminal.shows(/^~$/);
  await page.keyboard.type('ihalf a line');
  await terminal.shows(/^half a line$/);
  const before = await terminal.lines();
  const address = page.url();
  expect(address).toMatch(/\/terminal\/[0-9a-f-]{36}$/);

  await page.reload();
  await isLive(page);
  await terminal.shows(/^half a line$/);
  expect(await terminal.lines()).toEqual(before);
  expect(page.url()).toBe(address);
  await page.keyboard.type(', and the rest');
  await terminal.shows(/^half a line, and the rest$/);
  await page.keyboard.press('Escape');
  await terminal.enter(':q!');
  // The screen below the editor is there as well.
  await terminal.shows(/^above the editor$/);
  await close();
});

test('a server that is killed and restarted under an open tab costs not a byte', async () => {
  const { page, close, terminal, output } = await openTerminal();
  await terminal.enter('for n in $(seq 1 300); do echo "<$n>"; sleep 0.03; done');
  await terminal.shows(/^<20>$/);
  await fleet.killServer();
  await page.getByText('Connection to the server lost.').waitFor();
  // Typed meanwhile: it is kept and arrives.
  await page.keyboard.type('echo typed $((6*7))');
  await page.keyboard.press('Enter');
  await fleet.startServer();
  await isLive(page);
  await terminal.shows(/^typed 42$/, 60_000);
  expect(output.misplaced).toEqual([]);
  expect(output.numbers).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
  expect(output.screens).toBe(0);
  await close();
});

test('a device that is away and comes back: said at once, nothing typed meanwhile, nothing lost', async () => {
  const { page, close, terminal, output } = await openTerminal();
  await terminal.enter('for n in $(seq 1 100); do echo "<$n>"; sleep 0.05; done; echo all of it');
  await terminal.shows(/^<10>$/);
  network.cut();
  await page.getByText(/pump-17 has been away for /).waitFor();
  await page.getByText('Device away', { exact: true }).waitFor();
  await page.keyboard.type('x');
  await page.getByText('Not sent:').waitFor();
  network.mend();
  await page.getByText('pump-17 is back').waitFor({ timeout: 90_000 });
  await isLive(page);
  await terminal.shows(/^all of it$/, 60_000);
  expect(output.misplaced).toEqual([]);
  expect(output.numbers).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  await terminal.enter('echo back $((2+2))');
  await terminal.shows(/^back 4$/);
  await close();
});

test('two tabs on one session: the second takes over, the first watches and takes it back', async () => {
  const first = await openTerminal({ viewport: { width: 1440, height: 900 } });
  await first.terminal.enter('echo from the first');
  await first.terminal.shows(/^from the first$/);
  const size = await first.terminal.size();

  const second = await visitor({ viewport: { width: 900, height: 600 } });
  await second.page.goto(`${fleet.url}/devices/${deviceId}/terminal`);
  await second.page.getByRole('link', { name: /^Take over / }).click();
  await isLive(second.page);
  const terminal = new TerminalReader(second.page);
  await terminal.shows(/^from the first$/);
  await first.page.getByText(/has taken control\.$/).waitFor();
  await first.page.getByText('Watching', { exact: true }).waitFor();

  // Only the controller's size counts, and the other says whose it is.
  await expect.poll(() => terminal.size()).not.toEqual(size);
  const now = await terminal.size();
  await expect.poll(() => first.terminal.size()).toEqual(now);
  await first.page.getByText(`${now.cols}×${now.rows}, the size of `).waitFor();
  await terminal.enter('stty size');
  await terminal.shows(new RegExp(`^${now.rows} ${now.cols}$`));
  await first.terminal.shows(new RegExp(`^${now.rows} ${now.cols}$`));

  await first.page.getByRole('button', { name: 'Take control' }).click();
  await first.page.getByRole('button', { name: 'End session' }).waitFor();
  await second.page.getByText('Watching', { exact: true }).waitFor();
  await first.page.locator('.xterm-helper-textarea').focus();
  await first.terminal.enter('echo mine again $((3*3))');
  await terminal.shows(/^mine again 9$/);
  await second.close();
  await first.close();
});

test('a colleague watches without a say, is named, and is handed control', async () => {
  const mine = await openTerminal();
  await mine.terminal.enter('echo look at this');
  await mine.terminal.shows(/^look at this$/);

  const theirs = await visitor({}, BO);
  const list = await liveSessions(theirs.page);
  await list.getByRole('button', { name: /^More about / }).click();
  await theirs.page.getByRole('menuitem', { name: 'Watch' }).click();
  await theirs.page.getByText('Watching', { exact: true }).waitFor();
  const eyes = new TerminalReader(theirs.page);
  await eyes.shows(/^look at this$/);
  await theirs.page.locator('.xterm-helper-textarea').focus();
  await eyes.enter('echo not allowed');
  await theirs.page.getByText('You are watching.').waitFor();

  // Two terminals read the question; one answers.
  await mine.terminal.enter(
    'printf \'\\033[5n\'; read -rs -t 3 -d x answer; printf %s "$answer" | wc -c',
  );
  await mine.terminal.shows(/^4$/);

  await mine.page.getByRole('button', { name: /^Who is here: 2 people/ }).click();
  await mine.page.getByText(BO.email).waitFor();
  await mine.page.getByRole('button', { name: `Hand over to ${BO.email}` }).click();
  await mine.page.getByText('Watching', { exact: true }).waitFor();
  await theirs.page.getByRole('button', { name: 'End session' }).waitFor();
  await theirs.page.locator('.xterm-helper-textarea').focus();
  await eyes.enter('echo thank you $((4*4))');
  await mine.terminal.shows(/^thank you 16$/);
  expect((await mine.terminal.lines()).join('\n')).not.toContain('not allowed');
  await theirs.close();
  await mine.close();
});

test('the list of sessions is live, and ends one with everybody in it', async () => {
  const mine = await openTerminal();
  const boss = await visitor({}, BO);
  await boss.page.getByRole('link', { name: 'Sessions', exact: true }).click();
  await boss.page.getByRole('link', { name: 'pump-17', exact: true }).waitFor();
  await boss.page.getByRole('button', { name: /^More about / }).click();
  await boss.page.getByRole('menuitem', { name: 'End session…' }).click();
  const dialog = boss.page.getByRole('dialog', { name: 'End this session?' });
  await dialog.getByText(/belongs to admin@example\.org/).waitFor();
  await dialog.getByRole('button', { name: 'End session' }).click();
  await mine.page.getByText('Session was ended', { exact: true }).waitFor();
  await boss.page.getByText('No session is running.').waitFor();
  await boss.close();
  await mine.close();
});
