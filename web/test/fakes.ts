/** A websocket with a server's end behind it, and a screen, that do what a test says. */
import {
  decode,
  encode,
  type Message,
  message,
  Proto,
  type Value,
} from '../src/protocol/message.ts';
import type { Winsize } from '../src/protocol/shell.ts';
import type { Socket } from '../src/terminal/connection.ts';
import type { Sink } from '../src/terminal/state.ts';

export const SID = '4dc3a1b6-53a8-4a5e-9f6f-2d2d2a9f1c11';

type Fields = Record<string, Value>;

export class FakeSocket implements Socket {
  binaryType: BinaryType = 'blob';
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly sent: Message[] = [];
  closedWith: number | undefined;
  isClosed = false;
  protocol = '';

  constructor(readonly offered: string) {}

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.sent.push(decode(bytes.slice()));
  }

  close(code?: number): void {
    this.isClosed = true;
    this.closedWith = code;
  }

  /** The connection stands, and the server has introduced itself. */
  opens({ chosen = this.offered, window = 65_536 } = {}): void {
    this.protocol = chosen;
    this.onopen?.(new Event('open'));
    this.delivers(
      encode(
        message(Proto.control, 'hello', {
          props: new Map<string, Value>([
            ['version', 1],
            ['instance', 'server-1'],
            ['window', window],
          ]),
        }),
      ),
    );
  }

  breaks(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason, wasClean: code !== 1006 } as CloseEvent);
  }

  says(type: string, props: Fields = {}, body: string | Uint8Array = ''): void {
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    const entries = new Map(Object.entries(props));
    this.delivers(encode(message(Proto.shell, type, { sid: SID, props: entries, body: bytes })));
  }

  delivers(bytes: Uint8Array): void {
    this.onmessage?.({ data: bytes.slice().buffer } as MessageEvent);
  }

  /** Types of what was sent, in order. */
  get types(): string[] {
    return this.sent.map((sent) => sent.type);
  }

  /** What was sent of one type. */
  of(type: string): Message[] {
    return this.sent.filter((sent) => sent.type === type);
  }

  /** All input that was sent. */
  get typed(): string {
    return this.of('shell').map(text).join('');
  }
}

/** Draws nothing until told to. */
export class FakeScreen implements Sink {
  readonly pending: {
    what: 'output' | 'screen';
    text: string;
    live: boolean;
    drawn: () => void;
  }[] = [];
  readonly sizes: Winsize[] = [];

  write(bytes: Uint8Array, live: boolean, drawn: () => void): void {
    this.pending.push({ what: 'output', text: new TextDecoder().decode(bytes), live, drawn });
  }

  restart(bytes: Uint8Array, drawn: () => void): void {
    this.pending.push({
      what: 'screen',
      text: new TextDecoder().decode(bytes),
      live: false,
      drawn,
    });
  }

  resize(size: Winsize): void {
    this.sizes.push(size);
  }

  drawNext(count = 1): void {
    for (const { drawn } of this.pending.splice(0, count)) drawn();
  }
}

export const text = (sent: Message | undefined): string => new TextDecoder().decode(sent?.body);
export const props = (sent: Message | undefined) => Object.fromEntries(sent?.props ?? []);
