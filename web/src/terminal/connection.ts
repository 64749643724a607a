/** One websocket at a time to the server, dialled again whenever it breaks. */
import { SUBPROTOCOL } from '../link/limits.ts';
import { waitMs } from './backoff.ts';

export type LinkState =
  | { readonly kind: 'up' }
  | { readonly kind: 'dialling' }
  /** Dialled again at `until` (Unix milliseconds), or as soon as the network is back. */
  | { readonly kind: 'waiting'; readonly until: number };

/** The part of a browser's `WebSocket` that is used. */
export interface Socket {
  binaryType: BinaryType;
  readonly protocol: string;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** Whoever speaks over it. */
export interface Speaker {
  opened(): void;
  received(bytes: Uint8Array): void;
  /** The websocket is gone, for whatever reason. */
  gone(): void;
  /** `state` or `failures` is another. */
  changed(): void;
  /** There is no use in dialling again: the server says so, or speaks something else. */
  sentAway(text: string): void;
  notUnderstood(): void;
}

/** An answer to a dial that has not come by then does not come. */
const DIAL_TIMEOUT_MS = 15_000;
/** Close codes after which dialling again would be answered the same. */
const FINAL_CODES = [1008, 1013];

export class Connection {
  state: LinkState = { kind: 'dialling' };
  /** Dials that have failed since the link was last up. */
  failures = 0;
  private socket: Socket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isOver = false;

  constructor(
    private readonly open: (subprotocol: string) => Socket,
    private readonly random: () => number,
    private readonly speaker: Speaker,
  ) {}

  dial(): void {
    if (this.isOver) return;
    this.hangUp();
    this.become({ kind: 'dialling' });
    const socket = this.open(SUBPROTOCOL);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      clearTimeout(this.timer);
      if (socket.protocol === SUBPROTOCOL) this.speaker.opened();
      else this.speaker.notUnderstood();
    };
    socket.onmessage = (event) => {
      if (event.data instanceof ArrayBuffer) this.speaker.received(new Uint8Array(event.data));
    };
    socket.onclose = ({ code, reason }) => {
      if (FINAL_CODES.includes(code)) this.speaker.sentAway(reason);
      else this.breakOff();
    };
    this.timer = setTimeout(() => this.breakOff(), DIAL_TIMEOUT_MS);
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.socket?.send(bytes);
  }

  /** The peer has introduced itself. */
  stands(): void {
    this.failures = 0;
    this.become({ kind: 'up' });
  }

  /** Gives the present websocket up, and dials again after a while. */
  breakOff(): void {
    if (this.isOver) return;
    this.hangUp();
    this.failures += 1;
    const wait = waitMs(this.failures, this.random());
    this.timer = setTimeout(() => this.dial(), wait);
    this.become({ kind: 'waiting', until: Date.now() + wait });
  }

  /** For good. */
  close(): void {
    this.isOver = true;
    this.hangUp(1000);
  }

  /** Leaves the present websocket behind, if there is one. */
  private hangUp(code?: number): void {
    clearTimeout(this.timer);
    const { socket } = this;
    if (!socket) return;
    this.socket = undefined;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(code);
    this.speaker.gone();
  }

  private become(state: LinkState): void {
    this.state = state;
    this.speaker.changed();
  }
}
