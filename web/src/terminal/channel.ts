/**
 * One terminal session as a page has it: the user end of the link, on a websocket that is dialled
 * again whenever it breaks, with what is typed and what is drawn.
 *
 * It knows no xterm.js and no React: output goes to a `Sink`, changes of state to listeners.
 */
import { LinkError } from '../link/error.ts';
import type { LinkEvent } from '../link/events.ts';
import { UserEnd } from '../link/userEnd.ts';
import { decode, encode, message, Proto, type Value } from '../protocol/message.ts';
import { MsgpackError } from '../protocol/msgpack.ts';
import type { Winsize } from '../protocol/shell.ts';
import { Connection, type Socket } from './connection.ts';
import type { End } from './ended.ts';
import { RenderedOffset } from './flow.ts';
import { type Shown, withNotice, withoutNotice } from './notices.ts';
import { type ChannelState, type Intent, type Sink, UNKNOWN } from './state.ts';
import { Typing } from './typing.ts';
import { type DeviceWord, type Notice, readWord, type Viewer } from './words.ts';

export interface ChannelOptions {
  readonly open: (subprotocol: string) => Socket;
  readonly sink: Sink;
  readonly sid: string;
  readonly intent: Intent;
  readonly size: Winsize;
  /** Which load of which page this is. */
  readonly instance: string;
  /** Milliseconds on a clock that never steps. */
  readonly now: () => number;
  readonly random: () => number;
}

/** Output taken in beyond what is drawn. */
const WINDOW = 512 * 1024;
/** What was typed longer ago than this when the link comes back is asked about first. */
const HOLD_AFTER_MS = 60_000;
const ETX = 0x03;
const FS = 0x1c;

export class Channel {
  private state = UNKNOWN;
  private readonly listeners = new Set<() => void>();
  private readonly end: UserEnd;
  private readonly flow = new RenderedOffset();
  private readonly typing = new Typing();
  private readonly connection: Connection;
  private generation = 0;
  /** When the link is to be asked for signs of life. */
  private timer: ReturnType<typeof setTimeout> | undefined;
  private disposed = false;
  private wanted: Winsize;
  private intent: Intent;
  private liveFrom = 0;
  /** Grows with every screen: what was drawn before one says nothing about what comes after. */
  private drawing = 0;
  private dropped = 0;
  /** Said by the peer before it closed the link. */
  private complaint = '';
  private handedTo: string | undefined;

  constructor(private readonly options: ChannelOptions) {
    const { sid, size, intent, instance } = options;
    this.wanted = size;
    this.intent = intent;
    this.end = new UserEnd(instance, WINDOW);
    if (intent === 'new') {
      this.end.open(sid, 1, size);
    } else {
      const more = new Map<string, Value>(intent === 'watch' ? [['watch', true]] : []);
      this.end.resume(sid, undefined, 0, intent === 'watch' ? undefined : size, more);
    }
    this.end.holdInputAfter(sid, HOLD_AFTER_MS);
    this.connection = new Connection(options.open, options.random, {
      opened: () => {
        this.generation = this.end.connected(options.now());
        this.pump();
      },
      received: (bytes) => this.received(bytes),
      gone: () => {
        clearTimeout(this.timer);
        this.end.disconnected(this.generation);
      },
      changed: () => {
        const { state, failures } = this.connection;
        this.set({ link: state, failures });
      },
      sentAway: (text) => this.finish({ kind: 'linkLost', text: text || this.complaint }),
      notUnderstood: () => this.finish({ kind: 'badMessage' }),
    });
  }

  readonly getState = (): ChannelState => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  connect(): void {
    this.connection.dial();
  }

  /** The network is back, or somebody looks: no time to wait. */
  wake(): void {
    if (this.state.link.kind === 'waiting') this.connection.dial();
    else if (this.state.link.kind === 'up') this.due();
  }

  /** Sends what was typed or pasted, or says why not. */
  input(bytes: Uint8Array): void {
    const { phase, device, control, asking } = this.state;
    if (phase === 'ended' || bytes.length === 0) return;
    if (device?.connected === false) {
      this.refuse('away');
      return;
    }
    if (phase === 'live' && !control) {
      this.refuse(asking ? 'asked' : 'watching');
      return;
    }
    if (this.state.notices.length > 0) {
      this.set({
        notices: withoutNotice(withoutNotice(this.state.notices, 'idle'), 'typingRefused'),
      });
    }
    if (!this.interrupted(bytes) && !this.typing.push(bytes)) this.refuse('tooMuch');
    this.pump();
  }

  /** What the terminal says by itself: an answer, the focus, the mouse. Nobody is told if it is not sent. */
  report(bytes: Uint8Array): void {
    const { phase, device, control } = this.state;
    if (phase === 'live' && control && device?.connected !== false) this.input(bytes);
  }

  /** The size this page would give the terminal; it counts while the page is in control. */
  resize(size: Winsize): void {
    this.wanted = size;
    if (this.state.control || this.intent === 'new') this.end.resize(this.options.sid, size);
    this.pump();
  }

  takeControl(): void {
    if (this.state.phase !== 'live' || this.state.control) return;
    this.handedTo = undefined;
    this.end.wantControl(this.options.sid);
    this.set({ asking: true, notices: withoutNotice(this.state.notices, 'controlRefused') });
    this.pump();
  }

  /** Gives control to another who is there. */
  handOver(to: Viewer): void {
    if (!this.state.control || to.id === undefined) return;
    this.handedTo = to.name;
    this.end.send(
      message(Proto.shell, 'hand_over', {
        sid: this.options.sid,
        props: new Map<string, Value>([['to', to.id]]),
      }),
    );
    this.pump();
  }

  /** What was held is still meant. */
  releaseHeld(): void {
    const { sid } = this.options;
    this.end.releaseInput(sid);
    // What has got as far as the server is held there.
    this.end.send(message(Proto.shell, 'release', { sid }));
    this.set({ held: 0 });
    this.pump();
  }

  /** What was held is not meant any more: a new epoch begins without it. */
  discardHeld(): void {
    this.typing.discard();
    this.end.wantControl(this.options.sid);
    this.set({ asking: true });
    this.pump();
  }

  dismiss(kind: Shown['kind']): void {
    this.set({ notices: withoutNotice(this.state.notices, kind) });
  }

  /** Ends the shell on the operator's wish; said until the server has heard it. */
  stop(): void {
    if (this.state.phase === 'ended') return;
    this.end.stop(this.options.sid);
    this.set({ ending: true });
    this.pump();
    const away = this.state.device?.connected === false;
    if (away && this.state.link.kind === 'up') this.finish({ kind: 'endsLater' });
  }

  /** Ends the wait for a session that cannot be had: the page has found out why. */
  giveUp(text: string): void {
    this.finish({ kind: 'notConnected', text });
  }

  /** Lets go of everything: the session is left, and lives on. */
  dispose(): void {
    this.disposed = true;
    this.listeners.clear();
    this.connection.close();
  }

  private received(bytes: Uint8Array): void {
    try {
      this.end.receive(this.generation, decode(bytes), this.options.now());
    } catch (error) {
      if (!(error instanceof LinkError || error instanceof MsgpackError)) throw error;
      const said = error instanceof LinkError ? error : new LinkError(error.message);
      this.connection.send(encode(said.toMessage()));
      this.connection.breakOff();
      return;
    }
    this.pump();
  }

  /** Takes from the link all it has to tell and to send. */
  private pump(): void {
    for (let event = this.end.event(); event; event = this.end.event()) this.told(event);
    if (this.state.phase === 'ended') return;
    this.drainTyping();
    this.transmit();
    const control = this.end.isInControl(this.options.sid);
    if (control && !this.state.control) {
      this.set({ control, asking: false });
      this.end.resize(this.options.sid, this.wanted);
      this.transmit();
    } else if (control !== this.state.control) {
      this.set({ control });
    }
    this.schedule();
  }

  private transmit(): void {
    for (let said = this.end.transmit(); said; said = this.end.transmit()) {
      this.connection.send(encode(said));
    }
  }

  private drainTyping(): void {
    const { sid, now } = this.options;
    if (!this.end.isInControl(sid)) return;
    for (;;) {
      const part = this.typing.take(this.end.inputRoom(sid));
      if (!part) break;
      this.end.input(sid, part, now());
    }
  }

  /**
   * An interrupt by itself: the rest of a paste that has not gone into the link yet is not wanted any
   * more, and the character need not wait for room. True if it was taken.
   */
  private interrupted(bytes: Uint8Array): boolean {
    if (bytes.length !== 1 || (bytes[0] !== ETX && bytes[0] !== FS)) return false;
    const discarded = this.typing.discard();
    if (discarded > 0) this.show({ kind: 'interrupted', bytes: discarded });
    return this.end.input(this.options.sid, bytes, this.options.now()) === 'taken';
  }

  private schedule(): void {
    const { deadline } = this.end;
    clearTimeout(this.timer);
    if (deadline === undefined) return;
    this.timer = setTimeout(() => this.due(), Math.max(0, deadline - this.options.now()));
  }

  private due(): void {
    try {
      this.end.tick(this.options.now());
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.connection.breakOff();
      return;
    }
    this.pump();
  }

  private told(event: LinkEvent): void {
    switch (event.event) {
      case 'hello':
        this.complaint = '';
        this.connection.stands();
        break;
      case 'started':
      case 'resumed':
        this.attached();
        break;
      case 'output':
        this.draw(event.offset, event.bytes);
        break;
      case 'screen': {
        this.drawing += 1;
        this.flow.jump(event.offset);
        if (event.size) this.sized(event.size);
        const { drawing } = this;
        this.options.sink.restart(event.bytes, () => this.drawn(event.offset, drawing));
        break;
      }
      case 'resized':
        this.sized(event.size);
        break;
      case 'applied':
        if (event.dropped > this.dropped) {
          this.show({ kind: 'interrupted', bytes: event.dropped - this.dropped });
          this.dropped = event.dropped;
        }
        if (this.state.held > 0) this.set({ held: 0 });
        break;
      case 'epoch':
        this.epochBegan(event.control, event.unarrived);
        break;
      case 'inputHeld':
        this.set({ held: event.bytes + this.typing.length });
        break;
      case 'refused':
        this.finish({
          kind: 'refused',
          text: event.why,
          detached: texts(event.props.get('detached')),
        });
        break;
      case 'ended':
        this.end.endRecorded(event.sid);
        this.transmit();
        this.finish({ kind: 'ended', ...event.end, byMe: this.state.ending });
        break;
      case 'lost':
        this.finish(this.state.ending ? { kind: 'endsLater' } : { kind: 'sessionGone' });
        break;
      case 'peerError':
        this.complaint = event.text;
        break;
      case 'other': {
        const word = readWord(event.message);
        if (word?.word === 'presence') this.set({ viewers: word.viewers });
        else if (word?.word === 'device') this.deviceTold(word.device);
        else if (word) this.noticed(word.notice);
        break;
      }
    }
  }

  private attached(): void {
    this.liveFrom = 0;
    this.set({ phase: 'live' });
    if (this.intent === 'takeOver') {
      this.intent = 'resume';
      if (!this.end.isInControl(this.options.sid)) this.takeControl();
    }
  }

  private deviceTold(device: DeviceWord): void {
    if (device.liveFrom !== undefined) this.liveFrom = device.liveFrom;
    const was = this.state.device;
    this.set({ device });
    if (was?.connected === false && device.connected) {
      this.dismiss('typingRefused');
      this.show({ kind: 'deviceBack', awaySince: was.since });
    } else if (was?.connected && !device.connected) {
      this.dismiss('deviceBack');
    }
  }

  private noticed(notice: Notice): void {
    if (notice.kind === 'held') {
      this.set({ held: notice.bytes });
      return;
    }
    // It was given away here; that it is gone is no news.
    if (notice.kind === 'takenOver' && this.handedTo !== undefined) return;
    if (notice.kind === 'controlRefused') this.set({ asking: false });
    this.show(notice);
  }

  private epochBegan(control: boolean, unarrived: number): void {
    const had = this.state.control;
    this.set({ asking: false, held: 0 });
    if (control) {
      this.handedTo = undefined;
      this.dismiss('takenOver');
      return;
    }
    const lost = unarrived + this.typing.discard();
    if (had && this.handedTo === undefined) {
      this.show({ kind: 'takenOver', by: undefined, unarrived: lost });
    }
  }

  private sized(size: Winsize): void {
    this.options.sink.resize(size);
    const last = this.state.size;
    if (last?.rows !== size.rows || last.cols !== size.cols) this.set({ size });
  }

  private draw(offset: number, bytes: Uint8Array): void {
    this.flow.arrived(offset + bytes.length);
    const { drawing } = this;
    const { sink } = this.options;
    // What was made before this attach is shown, but not answered.
    const old = bytes.subarray(0, Math.max(0, this.liveFrom - offset));
    const live = bytes.subarray(old.length);
    if (old.length > 0) {
      sink.write(old, false, () => this.drawn(offset + old.length, drawing));
    }
    if (live.length > 0) {
      sink.write(live, true, () => this.drawn(offset + bytes.length, drawing));
    }
  }

  private drawn(offset: number, drawing: number): void {
    if (drawing !== this.drawing || this.disposed) return;
    const due = this.flow.drawn(offset);
    if (due === undefined) return;
    this.end.recorded(this.options.sid, due);
    this.pump();
  }

  private refuse(why: 'away' | 'watching' | 'tooMuch' | 'asked'): void {
    this.show({ kind: 'typingRefused', why });
  }

  private show(notice: Parameters<typeof withNotice>[1]): void {
    this.set({ notices: withNotice(this.state.notices, notice) });
  }

  private finish(end: End): void {
    if (this.state.phase === 'ended') return;
    this.typing.discard();
    this.set({ phase: 'ended', end, control: false, asking: false, notices: [], held: 0 });
    this.connection.close();
  }

  private set(change: Partial<ChannelState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

function texts(value: Value | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
