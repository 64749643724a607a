/** One xterm.js with its add-ons: everything that touches the library sits here. */
import '@xterm/xterm/css/xterm.css';
import { ClipboardAddon, type IClipboardProvider } from '@xterm/addon-clipboard';
import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';
import { copyText } from '../layout/clipboard.ts';
import type { Winsize } from '../protocol/shell.ts';
import type { Sink } from './channel.ts';
import type { Palette } from './palette.ts';

export const FONT_FAMILY = '"JetBrains Mono Variable", ui-monospace, "SF Mono", Menlo, monospace';
/** Lines kept above the screen. */
const SCROLLBACK_LINES = 10_000;
/** While a window edge is dragged the size changes with every frame; the shell hears the pauses. */
const RESIZE_SETTLE_MS = 60;
/** More than this a program on the device cannot put on the clipboard. */
const CLIPBOARD_MAX_CHARS = 256 * 1024;

export interface ScreenOptions {
  readonly fontSize: number;
  readonly palette: Palette;
  readonly screenReader: boolean;
}

export interface ScreenEvents {
  input(bytes: Uint8Array): void;
  resize(size: Winsize): void;
  title(text: string): void;
  /** A program on the device asks to replace the operator's clipboard. */
  clipboardWish(text: string): void;
  /** Shortcuts that are ours and not the shell's. */
  shortcut(name: 'search' | 'toolbar'): void;
  searchResults(index: number, count: number): void;
}

export class Screen implements Sink {
  private readonly terminal: Terminal;
  private readonly fit = new FitAddon();
  private readonly search = new SearchAddon();
  private readonly encoder = new TextEncoder();
  private readonly observer: ResizeObserver;
  private palette: Palette;
  private settle: ReturnType<typeof setTimeout> | undefined;

  /** Must be made once the font is loaded: its size decides how many columns there are. */
  constructor(
    private readonly host: HTMLElement,
    options: ScreenOptions,
    private readonly events: ScreenEvents,
  ) {
    const terminal = new Terminal({
      // Unicode 11 and search decorations are behind this switch.
      allowProposedApi: true,
      cursorBlink: true,
      drawBoldTextInBrightColors: false,
      fontFamily: FONT_FAMILY,
      fontSize: options.fontSize,
      fontWeightBold: 650,
      lineHeight: 1.2,
      macOptionIsMeta: true,
      minimumContrastRatio: 3,
      rightClickSelectsWord: false,
      screenReaderMode: options.screenReader,
      scrollback: SCROLLBACK_LINES,
      theme: options.palette.theme,
    });
    this.terminal = terminal;
    this.palette = options.palette;
    terminal.loadAddon(this.fit);
    terminal.loadAddon(this.search);
    terminal.loadAddon(new Unicode11Addon());
    terminal.loadAddon(new WebLinksAddon());
    terminal.loadAddon(new ClipboardAddon(undefined, this.clipboard()));
    terminal.unicode.activeVersion = '11';
    terminal.open(host);
    this.drawOnGpu();
    this.fit.fit();

    terminal.onData((text) => events.input(this.encoder.encode(text)));
    terminal.onBinary((text) => events.input(Uint8Array.from(text, (char) => char.charCodeAt(0))));
    terminal.onResize((size) => events.resize(size));
    terminal.onTitleChange((title) => events.title(title));
    this.search.onDidChangeResults(({ resultIndex, resultCount }) =>
      events.searchResults(resultIndex, resultCount),
    );
    terminal.attachCustomKeyEventHandler((event) => this.ownKey(event));
    this.observer = new ResizeObserver(() => this.refitSoon());
    this.observer.observe(host);
  }

  get size(): Winsize {
    return { rows: this.terminal.rows, cols: this.terminal.cols };
  }

  write(bytes: Uint8Array, drawn: () => void): void {
    this.terminal.write(bytes, drawn);
  }

  focus(): void {
    this.terminal.focus();
  }

  /** Takes away the cursor and further typing; what was shown stays to be read and copied. */
  freeze(): void {
    this.terminal.options.cursorBlink = false;
    this.terminal.options.disableStdin = true;
    // Leaves whatever modes the shell left behind, so that wheel and selection work again.
    this.terminal.write('\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?25l\x1b[0m');
  }

  /** Takes input again for a new shell, below what the last one has shown. */
  thaw(): void {
    this.terminal.options.cursorBlink = true;
    this.terminal.options.disableStdin = false;
    this.terminal.write('\x1b[?1049l\x1b[!p\x1b[?25h\r\n\x1b[2m── new session ──\x1b[0m\r\n\r\n');
  }

  setPalette(palette: Palette): void {
    this.palette = palette;
    this.terminal.options.theme = palette.theme;
  }

  setFontSize(fontSize: number): void {
    this.terminal.options.fontSize = fontSize;
    this.fit.fit();
  }

  setScreenReader(on: boolean): void {
    this.terminal.options.screenReaderMode = on;
  }

  get selection(): string {
    return this.terminal.getSelection();
  }

  paste(text: string): void {
    this.terminal.paste(text);
  }

  clear(): void {
    this.terminal.clear();
  }

  find(text: string, direction: 'next' | 'previous', incremental = false): void {
    const options = { incremental, decorations: this.palette.search };
    if (direction === 'next') this.search.findNext(text, options);
    else this.search.findPrevious(text, options);
  }

  endFind(): void {
    this.search.clearDecorations();
    this.terminal.clearSelection();
  }

  dispose(): void {
    clearTimeout(this.settle);
    this.observer.disconnect();
    this.terminal.dispose();
  }

  /** WebGL where there is any; browsers take contexts away, then the page draws by itself. */
  private drawOnGpu(): void {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.terminal.loadAddon(webgl);
    } catch {
      // No WebGL here: the terminal's own renderer stays in charge.
    }
  }

  private refitSoon(): void {
    clearTimeout(this.settle);
    this.settle = setTimeout(() => {
      if (this.host.clientWidth > 0 && this.host.clientHeight > 0) this.fit.fit();
    }, RESIZE_SETTLE_MS);
  }

  /** Returns false for keys that must not reach the shell. Paste keys are the browser's own. */
  private ownKey(event: KeyboardEvent): boolean {
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    switch (event.code) {
      case 'KeyC':
        event.preventDefault();
        if (event.type === 'keydown') void copyText(this.selection);
        return false;
      case 'KeyV':
        return false;
      case 'KeyF':
        event.preventDefault();
        if (event.type === 'keydown') this.events.shortcut('search');
        return false;
      case 'KeyM':
        // Tab belongs to the shell, so there is another way out by keyboard.
        event.preventDefault();
        if (event.type === 'keydown') this.events.shortcut('toolbar');
        return false;
      default:
        return true;
    }
  }

  private clipboard(): IClipboardProvider {
    return {
      // What an operator has copied elsewhere is none of the device's business.
      readText: () => '',
      writeText: (_selection, text) => {
        if (text && text.length <= CLIPBOARD_MAX_CHARS) this.events.clipboardWish(text);
      },
    };
  }
}

/** Resolves when the terminal's font can be measured. */
export async function fontReady(fontSize: number): Promise<void> {
  await Promise.all([
    document.fonts.load(`${fontSize}px "JetBrains Mono Variable"`),
    document.fonts.load(`650 ${fontSize}px "JetBrains Mono Variable"`),
  ]).catch(() => undefined);
}
