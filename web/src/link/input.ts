/** The input of one session at the user end: typed, and not known to be applied. */
import { INPUT_KEPT, INTERRUPT_RESERVE } from './limits.ts';
import { Outbound, type Piece } from './outbound.ts';

/** Characters that a terminal may turn into signals. Whether it does is the shell end's to say. */
const INTERRUPTS = [0x03, 0x1c, 0x1a];

/** What has come of a word about epochs: another epoch has input of the old one that did not arrive. */
export type Begun =
  | { readonly epoch: 'same'; readonly applied: boolean }
  | { readonly epoch: 'new'; readonly unarrived: number };

export class Input {
  private stream = new Outbound();
  /** Whether this end is in control in the epoch. */
  private isOurs = false;
  /** Whether the peer has said so on this link, and where input goes on. */
  private ready = false;
  /** Whether it waits for a person to say that it is still meant. */
  private held = false;
  /** The last interrupt character that was typed behind other input. */
  private interrupt: { offset: number; byte: number } | undefined;
  private interruptSent = false;
  private droppedBytes = 0;
  /** The peer stands before what is kept: it has to be told. */
  private skip = false;

  /** `epoch`: whose input this is; 0 when that is not known yet. */
  constructor(private currentEpoch: number) {}

  get isReady(): boolean {
    return this.ready;
  }

  get ours(): boolean {
    return this.isOurs;
  }

  get epoch(): number {
    return this.currentEpoch;
  }

  /** Everything before is known to be applied. */
  get start(): number {
    return this.stream.start;
  }

  get end(): number {
    return this.stream.end;
  }

  get length(): number {
    return this.stream.length;
  }

  get dropped(): number {
    return this.droppedBytes;
  }

  get isHeld(): boolean {
    return this.held;
  }

  /** How many bytes can be kept beside what is. */
  get room(): number {
    return Math.max(0, INPUT_KEPT - this.length);
  }

  /** How many of these can be: an interrupt need not wait for room. */
  roomFor(bytes: Uint8Array): number {
    const reserve = lastInterrupt(bytes) < 0 ? 0 : INTERRUPT_RESERVE;
    return Math.max(0, INPUT_KEPT + reserve - this.length);
  }

  push(bytes: Uint8Array, now: number): void {
    this.stream.push(bytes, Math.floor(now));
    const at = lastInterrupt(bytes);
    const byte = bytes[at];
    if (byte === undefined) return;
    const offset = this.end - (bytes.length - at);
    // One that is not the only input waiting is worth a word of its own.
    if (offset > this.start) {
      this.interrupt = { offset, byte };
      this.interruptSent = false;
    }
  }

  /** The link is gone: whatever was said has to be said again. */
  unlinked(): void {
    this.ready = false;
    this.interruptSent = false;
    this.skip = false;
  }

  /** The peer says which epoch counts, where its input stands, and whether it is ours. */
  begin(epoch: number, offset: number, control: boolean): Begun {
    if (epoch === this.currentEpoch) {
      // Without control it is not over, as long as the epoch is the same: input waits.
      this.ready = control;
      this.isOurs ||= control;
      if (!control) return { epoch: 'same', applied: false };
      const applied = offset > this.start;
      this.skip = this.stream.resume(offset) > offset;
      this.stream.advance(Math.max(offset, this.start));
      this.interruptSent = false;
      return { epoch: 'same', applied };
    }
    const unarrived = Math.max(0, this.end - offset);
    this.stream = new Outbound(offset);
    this.currentEpoch = epoch;
    this.isOurs = control;
    this.ready = control;
    this.held = false;
    this.interrupt = undefined;
    this.interruptSent = false;
    this.skip = false;
    return { epoch: 'new', unarrived };
  }

  noteDropped(dropped: number): void {
    this.droppedBytes = Math.max(this.droppedBytes, dropped);
  }

  /** Holds what is older than `limitMs`. True if that is news. */
  holdIfOlder(limitMs: number, now: number): boolean {
    const oldest = this.stream.oldestMs;
    const old = oldest !== undefined && Math.floor(now) - oldest > limitMs;
    const news = old && !this.held;
    this.held ||= old;
    return news;
  }

  release(): void {
    this.held = false;
  }

  /** The shell end has applied everything before `offset`. True if that is news. */
  applied(offset: number, dropped: number): boolean {
    const news = offset > this.start || dropped > this.droppedBytes;
    this.noteDropped(dropped);
    this.stream.advance(Math.max(offset, this.start));
    if (this.interrupt && this.interrupt.offset < offset) this.interrupt = undefined;
    return news;
  }

  /** An interrupt that the window keeps back. */
  nextInterrupt(): { offset: number; byte: number } | undefined {
    if (!this.ready || this.held || this.interruptSent || !this.interrupt) return undefined;
    if (this.interrupt.offset < this.stream.sent) {
      // It is on its way among the rest.
      this.interrupt = undefined;
      return undefined;
    }
    this.interruptSent = true;
    return this.interrupt;
  }

  /** Where the peer has to go on, if it stands before what is kept. */
  nextSkip(): number | undefined {
    if (!this.ready || !this.skip) return undefined;
    this.skip = false;
    return this.start;
  }

  /** What is to be sent next; `window` is what the peer takes beyond what it has applied. */
  next(window: number): Piece | undefined {
    if (!this.ready || this.held) return undefined;
    return this.stream.next(this.start + window);
  }
}

function lastInterrupt(bytes: Uint8Array): number {
  return bytes.findLastIndex((byte) => INTERRUPTS.includes(byte));
}
