/** One xterm.js with its add-ons: everything that touches the library sits here. */
import '@xterm/xterm/css/xterm.css';
import { ClipboardAddon, type IClipboardProvider } from '@xterm/addon-clipboard';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';
import { copyText } from '../layout/clipboard.ts';
import type { Winsize } from '../protocol/shell.ts';
import { type Box, fontFor, sizeFor } from './fit.ts';
import type { Palette } from './palette.ts';
import type { Sink } from './state.ts';

export const FONT_FAMILY = '"JetBrains Mono Variable", ui-monospace, "SF Mono", Menlo, monospace';
/** Lines kept above the screen. */
const SCROLLBACK_LINES = 10_000;
/** While a window edge is dragged the size changes with every frame; the shell hears the pauses. */
const RESIZE_SETTLE_MS = 60;
/** More than this a program on the device cannot put on the clipboard. */
const CLIPBOARD_MAX_CHARS = 256 * 1024;
/** Room beside the text for the scroll bar. */
const SCROLLBAR_PX = 14;
/** RIS: everything as when the terminal was made, scrollback included. */
const RESET = '\x1bc';
const FOCUS = ['\x1b[I', '\x1b[O'];

export interface ScreenOptions {
  readonly fontSize: number;
  readonly palette: Palette;
  readonly screenReader: boolean;
}

export interface ScreenEvents {
  /** Somebody typed or pasted this. */
  input(bytes: Uint8Array): void;
  /** The terminal says this by itself: where the focus is, or the mouse. */
  report(bytes: Uint8Array): void;
  /** The size that would fill the stage. */
  resize(size: Winsize): void;
  title(text: string): void;
  /** A program on the device asks to replace the operator's clipboard. */
  clipboardWish(text: string): void;
  /** Shortcuts that are ours and not the shell's. */
  shortcut(name: 'search' | 'toolbar'): void;
  searchResults(index: number, count: number): void;
}

/**
 * A terminal on a stage. Its size is the shell's and not the window's: whoever is in control wishes for
 * a size that fills the stage, and it takes effect where the shell's output says so; for everybody else
 * the text is made as small as needed.
 */
export class Screen implements Sink {
  private readonly terminal: Terminal;
  private readonly search = new SearchAddon();
  private readonly encoder = new TextEncoder();
  private readonly observer: ResizeObserver;
  private palette: Palette;
  private fontSize: number;
  private settle: ReturnType<typeof setTimeout> | undefined;
  private wished: Winsize = { rows: 24, cols: 80 };
  /** Whether the size on the device is ours to say. */
  private control = true;
  /** Whether the shell has ended. */
  private frozen = false;
  /** Whether the device hears what this terminal says. */
  private heard = false;
  /** Whether what is being read now was made just now, for us. */
  private live = true;
  private liveQueued = true;

  /** Must be made once the font is loaded: its size decides how many columns there are. */
  constructor(
    private readonly stage: HTMLElement,
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
    this.fontSize = options.fontSize;
    terminal.loadAddon(this.search);
    terminal.loadAddon(new Unicode11Addon());
    terminal.loadAddon(new WebLinksAddon());
    terminal.loadAddon(new ClipboardAddon(undefined, this.clipboard()));
    terminal.unicode.activeVersion = '11';
    this.answerOnlyWhenHeard();
    terminal.open(stage);
    this.drawOnGpu();
    this.arrange();
    terminal.resize(this.wished.cols, this.wished.rows);
    this.place();

    terminal.onData((text) => this.said(text, this.encoder.encode(text)));
    terminal.onBinary((text) =>
      this.said(
        text,
        Uint8Array.from(text, (char) => char.charCodeAt(0)),
      ),
    );
    terminal.onTitleChange((title) => events.title(title));
    this.search.onDidChangeResults(({ resultIndex, resultCount }) =>
      events.searchResults(resultIndex, resultCount),
    );
    terminal.attachCustomKeyEventHandler((event) => this.ownKey(event));
    this.observer = new ResizeObserver(() => this.refitSoon());
    this.observer.observe(stage);
  }

  /** The size that would fill the stage. */
  get wish(): Winsize {
    return this.wished;
  }

  write(bytes: Uint8Array, live: boolean, drawn: () => void): void {
    this.thenLive(live);
    this.terminal.write(bytes, drawn);
  }

  restart(bytes: Uint8Array, drawn: () => void): void {
    this.thenLive(false);
    // In the stream and not by `reset()`, which would overtake what still waits to be read.
    this.terminal.write(RESET);
    this.terminal.write(bytes, drawn);
  }

  /** From here on in the output the terminal has this size. */
  resize(size: Winsize): void {
    this.terminal.write('', () => {
      this.terminal.resize(size.cols, size.rows);
      this.place();
    });
  }

  /** Whose size counts, and whether the device hears answers. */
  setControl(control: boolean, heard: boolean): void {
    this.heard = heard;
    if (control === this.control) return;
    this.control = control;
    this.terminal.options.cursorStyle = control ? 'block' : 'underline';
    this.terminal.options.cursorBlink = control;
    this.arrange();
  }

  focus(): void {
    this.terminal.focus();
  }

  /** Takes away the cursor and further typing; what was shown stays to be read and copied. */
  freeze(): void {
    this.frozen = true;
    this.terminal.options.cursorBlink = false;
    this.terminal.options.disableStdin = true;
    // Leaves whatever modes the shell left behind, so that wheel and selection work again.
    this.terminal.write('\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?25l\x1b[0m');
  }

  /** Takes input again for a new shell, below what the last one has shown. */
  thaw(): void {
    this.terminal.options.cursorBlink = true;
    this.terminal.options.disableStdin = false;
    this.terminal.write('\x1b[?1049l\x1b[!p\x1b[?25h\r\n\x1b[2m── new session ──\x1b[0m\r\n\r\n');
    this.frozen = false;
    this.control = true;
    this.arrange();
    this.terminal.resize(this.wished.cols, this.wished.rows);
    this.place();
  }

  setPalette(palette: Palette): void {
    this.palette = palette;
    this.terminal.options.theme = palette.theme;
  }

  setFontSize(fontSize: number): void {
    this.fontSize = fontSize;
    this.arrange();
  }

  setScreenReader(on: boolean): void {
    this.terminal.options.screenReaderMode = on;
  }

  get selection(): string {
    return this.terminal.getSelection();
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

  private said(text: string, bytes: Uint8Array): void {
    if (FOCUS.includes(text) || text.startsWith('\x1b[M') || text.startsWith('\x1b[<')) {
      if (this.live) this.events.report(bytes);
    } else {
      this.events.input(bytes);
    }
  }

  /** What is written from here on is live, or is not. */
  private thenLive(live: boolean): void {
    if (live === this.liveQueued) return;
    this.liveQueued = live;
    this.terminal.write('', () => {
      this.live = live;
    });
  }

  /**
   * Programs ask terminals for their kind, cursor and colours. Only one terminal may answer, once:
   * that of the controller, for what it got live. A handler that says `true` keeps the library's own
   * from being asked.
   */
  private answerOnlyWhenHeard(): void {
    const { parser } = this.terminal;
    const silent = () => !this.live || !this.heard;
    for (const prefix of ['', '?', '>', '=']) {
      const id = prefix ? { prefix } : {};
      parser.registerCsiHandler({ ...id, final: 'c' }, silent);
      parser.registerCsiHandler({ ...id, final: 'n' }, silent);
      parser.registerCsiHandler({ ...id, intermediates: '$', final: 'p' }, silent);
    }
    parser.registerCsiHandler({ prefix: '>', final: 'q' }, silent);
    parser.registerCsiHandler({ final: 't' }, ([what]) => what === 18 && silent());
    parser.registerDcsHandler({ intermediates: '$', final: 'q' }, silent);
    for (const colour of [4, 10, 11, 12]) {
      parser.registerOscHandler(colour, (data) => data.includes('?') && silent());
    }
    // The clipboard: as for an answer, what is shown again is no wish.
    parser.registerOscHandler(52, silent);
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
    this.settle = setTimeout(() => this.arrange(), RESIZE_SETTLE_MS);
  }

  private arrange(): void {
    this.place();
    this.refit();
    if (!this.frozen) return;
    // No shell is left that a size would matter to: what was shown fills the stage there is.
    this.terminal.resize(this.wished.cols, this.wished.rows);
    this.place();
  }

  /** Finds the size that would fill the stage, and says so if it is another. */
  private refit(): void {
    const { stageBox } = this;
    const cell = this.cellAt(this.fontSize);
    if (stageBox.width <= 0 || stageBox.height <= 0 || !cell) return;
    const wish = sizeFor(stageBox, cell);
    if (wish.rows === this.wished.rows && wish.cols === this.wished.cols) return;
    this.wished = wish;
    this.events.resize(wish);
  }

  /** Makes the terminal, whatever its size, fit the stage. */
  private place(): void {
    const cell = this.cellAt(this.fontSize);
    const { rows, cols, element } = this.terminal;
    if (!cell || !element) return;
    const fontSize = this.control
      ? this.fontSize
      : fontFor(this.stageBox, cell, { rows, cols }, this.fontSize);
    if (this.terminal.options.fontSize !== fontSize) this.terminal.options.fontSize = fontSize;
    const drawn = this.cellAt(fontSize) ?? cell;
    element.style.width = `${Math.ceil(drawn.width * cols) + SCROLLBAR_PX}px`;
    element.style.height = `${Math.ceil(drawn.height * rows)}px`;
  }

  private get stageBox(): Box {
    const { clientWidth, clientHeight } = this.stage;
    return { width: clientWidth - SCROLLBAR_PX, height: clientHeight };
  }

  /** A character's size at a font size, from what is drawn now. */
  private cellAt(fontSize: number): Box | undefined {
    const drawn = this.terminal.element?.querySelector('.xterm-screen');
    const now = this.terminal.options.fontSize;
    if (!(drawn instanceof HTMLElement) || !now) return undefined;
    const width = drawn.offsetWidth / this.terminal.cols;
    const height = drawn.offsetHeight / this.terminal.rows;
    if (width <= 0 || height <= 0) return undefined;
    return { width: (width * fontSize) / now, height: (height * fontSize) / now };
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
