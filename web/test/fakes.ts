/** A websocket and a screen that do what a test says. */

import { decode, encode, type Message, message, Proto } from '../src/protocol/message.ts';
import type { Sink, Socket } from '../src/terminal/channel.ts';

export class FakeSocket implements Socket {
  binaryType: BinaryType = 'blob';
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly sent: Message[] = [];
  closedWith: number | undefined;
  protocol = '';

  constructor(readonly offered: string) {}

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.sent.push(decode(bytes.slice()));
  }

  close(code?: number): void {
    this.closedWith = code;
    this.readyState = 3;
  }

  opens(chosen = this.offered): void {
    this.protocol = chosen;
    this.readyState = 1;
    this.onopen?.(new Event('open'));
  }

  breaks(code: number, reason = ''): void {
    this.readyState = 3;
    this.onclose?.({ code, reason, wasClean: code !== 1006 } as CloseEvent);
  }

  says(
    type: string,
    rest: { sid?: string; props?: Record<string, number | string>; body?: string | Uint8Array },
  ): void {
    const body = typeof rest.body === 'string' ? new TextEncoder().encode(rest.body) : rest.body;
    this.delivers(
      encode(
        message(Proto.shell, type, {
          sid: rest.sid ?? 'S1',
          props: new Map(Object.entries(rest.props ?? {})),
          ...(body ? { body } : {}),
        }),
      ),
    );
  }

  delivers(bytes: Uint8Array): void {
    this.onmessage?.({ data: bytes.slice().buffer } as MessageEvent);
  }

  /** Types of what was sent, in order. */
  get types(): string[] {
    return this.sent.map((sent) => sent.type);
  }
}

/** Draws nothing until told to. */
export class FakeScreen implements Sink {
  readonly pending: { bytes: Uint8Array; drawn: () => void }[] = [];

  write(bytes: Uint8Array, drawn: () => void): void {
    this.pending.push({ bytes: bytes.slice(), drawn });
  }

  drawNext(count = 1): void {
    for (const { drawn } of this.pending.splice(0, count)) drawn();
  }
}

export const text = (sent: Message | undefined): string => new TextDecoder().decode(sent?.body);
export const props = (sent: Message | undefined) => Object.fromEntries(sent?.props ?? []);
