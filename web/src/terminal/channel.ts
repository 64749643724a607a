/**
 * One terminal session over one websocket: the protocol's order, flow control and the typed end.
 *
 * It knows no xterm.js and no React: output goes to a `Sink`, changes of state to listeners.
 */
import { decode, encode, type Message } from '../protocol/message.ts';
import { LONGWIRE_V1, read, splitInput, toDevice, type Winsize } from '../protocol/shell.ts';
import type { End } from './ended.ts';
import { RenderedOffset } from './flow.ts';

export type ChannelState =
  | { readonly phase: 'connecting' }
  /** The link stands, the shell has been asked for. */
  | { readonly phase: 'starting' }
  | { readonly phase: 'live' }
  | { readonly phase: 'ended'; readonly end: End };

/** Where output is drawn; `drawn` is called when the bytes are on screen. */
export interface Sink {
  write(bytes: Uint8Array, drawn: () => void): void;
}

/** The part of a browser's `WebSocket` that is used. */
export interface Socket {
  binaryType: BinaryType;
  readonly protocol: string;
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** What is typed before the shell has started is kept up to here, then refused. */
const TYPE_AHEAD_MAX = 64 * 1024;
/** Past the time a ping gives, this much longer without a sign of life means the link is dead. */
const SILENCE_GRACE_MS = 15_000;

const OPEN = 1;

export class Channel {
  private state: ChannelState = { phase: 'connecting' };
  private readonly listeners = new Set<() => void>();
  private readonly flow = new RenderedOffset();
  private socket: Socket | undefined;
  private sid = '';
  private acknowledges = false;
  private typedAhead: Uint8Array[] = [];
  private typedAheadBytes = 0;
  private askedSize: Winsize;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly open: (subprotocol: string) => Socket,
    private readonly sink: Sink,
    private size: Winsize,
  ) {
    this.askedSize = size;
  }

  readonly getState = (): ChannelState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  connect(): void {
    const socket = this.open(LONGWIRE_V1);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.acknowledges = socket.protocol === LONGWIRE_V1;
      this.setState({ phase: 'starting' });
      this.askedSize = this.size;
      this.send(toDevice.start(this.size));
    };
    socket.onmessage = (event) => {
      if (event.data instanceof ArrayBuffer) this.received(new Uint8Array(event.data));
    };
    socket.onclose = (event) => {
      const opened = this.state.phase !== 'connecting';
      this.finish(
        opened
          ? { kind: 'linkLost', code: event.code, text: event.reason }
          : { kind: 'notConnected', text: event.reason },
      );
    };
  }

  /** Sends what was typed or pasted. */
  input(bytes: Uint8Array): void {
    if (this.state.phase === 'live') {
      for (const part of splitInput(bytes)) this.send(toDevice.input(this.sid, part));
    } else if (
      this.state.phase !== 'ended' &&
      this.typedAheadBytes + bytes.length <= TYPE_AHEAD_MAX
    ) {
      this.typedAhead.push(bytes);
      this.typedAheadBytes += bytes.length;
    }
  }

  /** The screen's size; the latest wins, whenever it is said. */
  resize(size: Winsize): void {
    this.size = size;
    if (this.state.phase === 'live') this.sendSize();
  }

  /** Ends the shell on the operator's wish. */
  stop(): void {
    if (this.state.phase === 'ended') return;
    if (this.state.phase !== 'connecting') this.send(toDevice.stop(this.sid));
    this.finish({ kind: 'stoppedHere' });
  }

  /** Lets go of everything without a word: the page is going away. */
  dispose(): void {
    this.listeners.clear();
    if (this.state.phase !== 'ended' && this.state.phase !== 'connecting') {
      this.send(toDevice.stop(this.sid));
    }
    this.finish({ kind: 'stoppedHere' });
  }

  private received(bytes: Uint8Array): void {
    if (this.state.phase === 'ended') return;
    let incoming: Message;
    try {
      incoming = decode(bytes);
    } catch {
      this.finish({ kind: 'badMessage' });
      return;
    }
    this.signOfLife();
    const event = read(incoming);
    switch (event.kind) {
      case 'started':
        this.started(event.sid);
        break;
      case 'output':
        this.draw(event.bytes, event.offset);
        break;
      case 'ping':
        this.send(toDevice.pong(this.sid));
        if (event.timeoutSeconds) this.expectLifeWithin(event.timeoutSeconds * 1000);
        break;
      case 'refused':
        this.finish({ kind: 'refused', text: event.text });
        break;
      case 'inputFailed':
        // The device has no such shell any more and will not say so again.
        this.finish({ kind: 'shellGone', text: event.text });
        break;
      case 'stop':
        // A plain agent keeps the shell's place until it is told so.
        this.send(toDevice.stop(this.sid));
        this.finish({
          kind: 'ended',
          reason: event.reason,
          exitStatus: event.exitStatus,
          text: event.text,
        });
        break;
      case 'unknown':
        break;
    }
  }

  private started(sid: string): void {
    if (this.state.phase !== 'starting') return;
    this.sid = sid;
    this.setState({ phase: 'live' });
    this.sendSize();
    for (const bytes of this.typedAhead) this.input(bytes);
    this.typedAhead = [];
  }

  private sendSize(): void {
    const { size, askedSize } = this;
    if (size.rows === askedSize.rows && size.cols === askedSize.cols) return;
    this.askedSize = size;
    this.send(toDevice.resize(this.sid, size));
  }

  private draw(bytes: Uint8Array, offset: number | undefined): void {
    const upTo = this.flow.arrived(bytes.length, offset);
    this.sink.write(bytes, () => {
      const due = this.flow.drawn(upTo);
      if (due !== undefined && this.acknowledges && this.state.phase !== 'ended') {
        this.send(toDevice.ack(this.sid, due));
      }
    });
  }

  private expectLifeWithin(ms: number): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.finish({ kind: 'silent' }), ms + SILENCE_GRACE_MS);
  }

  private signOfLife(): void {
    clearTimeout(this.silence);
    this.silence = undefined;
  }

  private send(outgoing: Message): void {
    if (this.socket?.readyState === OPEN) this.socket.send(encode(outgoing));
  }

  private finish(end: End): void {
    if (this.state.phase === 'ended') return;
    clearTimeout(this.silence);
    this.typedAhead = [];
    this.setState({ phase: 'ended', end });
    this.socket?.close(1000);
  }

  private setState(next: ChannelState): void {
    this.state = next;
    for (const listener of this.listeners) listener();
  }
}
