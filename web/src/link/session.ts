/** One session at the user end. */
import type { Message, Props } from '../protocol/message.ts';
import type { Winsize } from '../protocol/shell.ts';
import { LinkError } from './error.ts';
import type { LinkEvent } from './events.ts';
import { Inbound } from './inbound.ts';
import { Input } from './input.ts';
import { type State, toShell } from './wire.ts';

/** `opening`: not known to have started. `ended`: its end is known here. */
export type Phase = 'opening' | 'running' | 'ended';

/** What is still to be said on the present link; a new one starts with nothing said. */
interface OnLink {
  intro?: 'new' | 'resume' | undefined;
  /** The session was asked for on this link. */
  asked: boolean;
  /** The peer has said where it stands. */
  stated: boolean;
  ack: boolean;
  size: boolean;
  epoch?: number | undefined;
  stop: boolean;
}

const nothingSaid = (): OnLink => ({
  asked: false,
  stated: false,
  ack: false,
  size: false,
  stop: false,
});

export interface SessionStart {
  readonly sid: string;
  readonly phase: Phase;
  readonly epoch: number;
  readonly size: Winsize | undefined;
  readonly more: Props;
  /** Output that is here already; `undefined`: the screen is asked for. */
  readonly have: number | undefined;
  readonly window: number;
}

export class Session {
  readonly sid: string;
  phase: Phase;
  /** The newest epoch this end knows of. */
  epoch: number;
  /** Ask what waited longer than this before it is delivered. */
  holdAfterMs: number | undefined;
  readonly output: Inbound;
  readonly input: Input;
  onLink = nothingSaid();
  private readonly more: Props;
  private size: Winsize | undefined;
  /** The last size the terminal is known to have had, and from where. */
  private sized: { offset: number; size: Winsize } | undefined;
  /** Whether everything before the position has come, as bytes or as a screen. */
  private hasOutput: boolean;
  private stopWanted = false;

  constructor(start: SessionStart) {
    this.sid = start.sid;
    this.phase = start.phase;
    this.epoch = start.epoch;
    this.size = start.size;
    this.more = start.more;
    this.output = new Inbound(start.have ?? 0, start.window);
    this.hasOutput = start.have !== undefined;
    this.input = new Input(start.phase === 'opening' ? start.epoch : 0);
  }

  /** A link has come or gone. */
  unlinked(): void {
    this.onLink = nothingSaid();
    this.input.unlinked();
  }

  ask(): void {
    this.onLink.intro = this.phase === 'opening' ? 'new' : 'resume';
    this.onLink.stop = this.stopWanted;
  }

  resize(size: Winsize): void {
    this.size = size;
    this.onLink.size = this.onLink.asked;
  }

  stop(): void {
    this.stopWanted = true;
    this.onLink.stop = true;
  }

  /** Whether this end is in control, as far as it knows, and its input can be given an offset. */
  get isTyping(): boolean {
    return this.input.epoch === this.epoch && this.input.ours;
  }

  recorded(offset: number): void {
    if (this.output.confirm(offset)) this.onLink.ack = true;
  }

  /** The peer says where the session stands. */
  stated(state: State, now: number, tell: (event: LinkEvent) => void): void {
    const { sid, onLink } = this;
    if (!onLink.asked) throw LinkError.unexpected(sid, 'state');
    const position = this.output.position;
    const first = !onLink.stated;
    onLink.stated = true;
    if (this.phase === 'opening') {
      this.phase = 'running';
      tell({ event: 'started', sid });
    } else if (first && this.phase === 'running') {
      tell({ event: 'resumed', sid });
    }
    if (state.output !== position) {
      this.output.jump(state.output);
      // A screen follows; until it has come, nothing can be gone on with.
      this.hasOutput = false;
    }
    // An acknowledgement that was under way when the last link was lost.
    onLink.ack ||= first && this.hasOutput && this.output.confirmed > 0;
    this.input.noteDropped(state.dropped);
    this.begin(state.epoch, state.input, state.control, tell);
    if (this.holdAfterMs !== undefined && first && this.input.holdIfOlder(this.holdAfterMs, now)) {
      tell({ event: 'inputHeld', sid, bytes: this.input.length });
    }
  }

  /** The peer says which epoch counts. */
  begin(epoch: number, offset: number, control: boolean, tell: (event: LinkEvent) => void): void {
    // An older one was said before the peer heard of the newer; the answer is still to come.
    if (epoch < this.epoch) return;
    const { sid } = this;
    this.epoch = epoch;
    const begun = this.input.begin(epoch, offset, control);
    if (begun.epoch === 'new') {
      tell({ event: 'epoch', sid, epoch, offset, control, unarrived: begun.unarrived });
    } else if (begun.applied) {
      tell({ event: 'applied', sid, offset, dropped: this.input.dropped });
    }
  }

  acceptOutput(offset: number, bytes: Uint8Array): Uint8Array {
    this.afterState('shell');
    if (!this.hasOutput) throw LinkError.unexpected(this.sid, 'shell');
    const expected = this.output.position;
    const fresh = this.output.accept(offset, bytes);
    if (fresh === 'hole') throw LinkError.hole(this.sid, expected, offset);
    if (fresh === 'overWindow') throw LinkError.overWindow(this.sid);
    return fresh;
  }

  /** True if that is news. */
  acceptSize(offset: number, size: Winsize): boolean {
    this.afterState('resize');
    if (offset > this.output.position) {
      throw LinkError.hole(this.sid, this.output.position, offset);
    }
    const last = this.sized;
    this.sized = { offset, size };
    return last?.offset !== offset || last.size.rows !== size.rows || last.size.cols !== size.cols;
  }

  /** The screen as all output before the offset makes it. */
  acceptScreen(offset: number): void {
    this.afterState('screen');
    this.output.jump(offset);
    this.hasOutput = true;
  }

  /** Output and what belongs to it comes after the state. */
  afterState(type: string): void {
    if (!this.onLink.stated) throw LinkError.unexpected(this.sid, type);
  }

  /** The next message that is not input. */
  nextControl(): Message | undefined {
    const { sid, onLink, size, epoch } = this;
    const { intro } = onLink;
    if (intro) {
      onLink.intro = undefined;
      onLink.asked = true;
      onLink.size = false;
      if (intro === 'new') return toShell.open(sid, epoch, size, this.more);
      const have = this.hasOutput ? this.output.position : undefined;
      return toShell.resume(sid, have, epoch, size, this.more);
    }
    if (!onLink.asked) return undefined;
    if (onLink.stop) {
      onLink.stop = false;
      return toShell.stop(sid);
    }
    if (onLink.epoch !== undefined) {
      const wanted = onLink.epoch;
      onLink.epoch = undefined;
      return toShell.epoch(sid, wanted);
    }
    if (onLink.size && size) {
      onLink.size = false;
      return toShell.resize(sid, size);
    }
    if (!onLink.stated) return undefined;
    if (onLink.ack) {
      onLink.ack = false;
      return toShell.ack(sid, this.output.confirmed, false);
    }
    const skip = this.input.nextSkip();
    if (skip !== undefined) return toShell.skip(sid, skip, this.input.epoch);
    const interrupt = this.input.nextInterrupt();
    if (interrupt) {
      return toShell.interrupt(sid, interrupt.offset, this.input.epoch, interrupt.byte);
    }
    return undefined;
  }

  nextInput(window: number): Message | undefined {
    if (!this.onLink.stated) return undefined;
    const piece = this.input.next(window);
    return piece && toShell.input(this.sid, piece.offset, this.input.epoch, piece.bytes);
  }
}
