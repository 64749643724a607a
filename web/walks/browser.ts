/** Debian's Chromium, and a page that tells on itself. */
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { PERSON } from './programs.ts';

/** Without `gpu` there is no WebGL at all, as in many virtual machines: the terminal must do without. */
export function launch({ gpu = true } = {}): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.LONGWIRE_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(gpu ? [] : ['--disable-software-rasterizer']),
    ],
  });
}

export interface Visit {
  page: Page;
  /** Fails when the page has complained or has asked anybody but its own server. */
  close(): Promise<void>;
}

/**
 * Opens a page as a person would see it. The terminal's text is read the way a screen reader does,
 * since it is drawn and not written; that mode is a setting of the page. `expected`: what the page may
 * complain about in this walk.
 */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  expected: readonly RegExp[] = [],
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  await context.addInitScript(() => {
    localStorage.setItem('longwire.terminal', JSON.stringify({ fontSize: 14, screenReader: true }));
  });
  // A busy machine is slow and right.
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    // A refused password is an answer, not a fault.
    const fine = [/status of 401/, ...expected].some((text) => text.test(message.text()));
    if (message.type() === 'error' && !fine) {
      complaints.push(`console: ${message.text()}`);
    }
  });
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== 'data:' && protocol !== 'blob:' && origin !== new URL(url).origin) {
      complaints.push(`asked ${request.url()}`);
    }
  });
  return {
    page,
    async close() {
      await context.close();
      expect(complaints).toEqual([]);
    },
  };
}

export async function signIn(page: Page, url: string, person = PERSON): Promise<void> {
  await page.goto(url);
  await page.getByLabel('Email').fill(person.email);
  await page.getByRole('textbox', { name: 'Password' }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Devices' }).waitFor();
}

/** Opens a new shell on a device and waits until it runs. */
export async function openShell(page: Page, url: string, deviceId: string) {
  await page.getByText('Connected', { exact: true }).first().waitFor();
  await page.goto(`${url}/devices/${deviceId}/terminal`);
  await isLive(page);
  return new TerminalReader(page);
}

/** Waits until the page says that its session is live and in its hands. */
export async function isLive(page: Page): Promise<void> {
  await page.getByText('Live', { exact: true }).waitFor();
}

/** The terminal as a screen reader finds it. */
export class TerminalReader {
  constructor(private readonly page: Page) {}

  /** The lines on screen, from top to bottom, without those that are empty at the end. */
  async lines(): Promise<string[]> {
    const rows = await this.page.locator('.xterm-accessibility-tree > div').allInnerTexts();
    const lines = rows.map((row) => row.replaceAll('\u00a0', ' ').trimEnd());
    while (lines.length > 0 && lines.at(-1) === '') lines.pop();
    return lines;
  }

  /** Waits until a line matches; returns the match. */
  async shows(pattern: RegExp, deadlineMs = 20_000): Promise<RegExpMatchArray> {
    let lines: string[] = [];
    const until = Date.now() + deadlineMs;
    while (Date.now() < until) {
      lines = await this.lines();
      for (const line of lines) {
        const match = line.match(pattern);
        if (match) return match;
      }
      await this.page.waitForTimeout(50);
    }
    throw new Error(`the terminal does not show ${pattern}:\n${lines.join('\n')}`);
  }

  /** Types a command and Enter. */
  async enter(command: string): Promise<void> {
    await this.page.keyboard.type(command);
    await this.page.keyboard.press('Enter');
  }

  /** Pastes as a person does; the visit needs the clipboard's permissions. */
  async paste(text: string): Promise<void> {
    await this.page.evaluate((clip) => navigator.clipboard.writeText(clip), text);
    await this.page.keyboard.press('Control+Shift+V');
  }

  /** Columns and rows as the page says them in its header. */
  async size(): Promise<{ cols: number; rows: number }> {
    const text = await this.page.getByTitle('Columns × rows').textContent();
    const [, cols, rows] = text?.match(/(\d+)×(\d+)/) ?? [];
    return { cols: Number(cols), rows: Number(rows) };
  }
}
