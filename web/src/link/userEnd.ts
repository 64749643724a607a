/**
 * The user end of `longwire.v1` as a state machine: no websocket, no clock. Its owner tells it of
 * connections, messages and time (milliseconds on a clock that never steps) and then takes from it,
 * until there is no more, what to send (`transmit`) and what has happened (`event`).
 *
 * It outlives connections. docs/protocol.md says what is on the wire; the golden traces of
 * `crates/link` hold it to that.
 */
import type { Message, Props } from '../protocol/message.ts';
import type { Winsize } from '../protocol/shell.ts';
import { LinkError } from './error.ts';
import type { LinkEvent } from './events.ts';
import { MAX_SID, MAX_WAITING, REPORT_AFTER } from './limits.ts';
import { Pulse } from './pulse.ts';
import { Session } from './session.ts';
import { cost, type Hello, onLink, readOnLink, readToUser, type ToUser, toShell } from './wire.ts';

/** One connection, from its start to its end. */
interface Link {
  readonly generation: number;
  readonly pulse: Pulse;
  peer: Hello | undefined;
  hello: boolean;
  ping: boolean;
  pong: boolean;
  /** Counted bytes that have come, and those of them that were reported. */
  arrived: number;
  reported: number;
  readonly waiting: Message[];
}

/** Why input was not taken. */
export type NotTaken = 'unknown' | 'notRunning' | 'notInControl' | 'noRoom';

const NO_PROPS: Props = new Map();

export class UserEnd {
  private readonly sessions = new Map<string, Session>();
  private link: Link | undefined;
  private connections = 0;
  private events: LinkEvent[] = [];
  /** Last words about sessions without a place here. */
  private farewells: Message[] = [];

  /** `window`: bytes of output taken in per session beyond what is `recorded`. */
  constructor(
    private readonly instance: string,
    private readonly window: number,
  ) {}

  /** A connection has been made; it takes the place of any older one. Returns its number. */
  connected(now: number): number {
    this.connections += 1;
    this.unlink();
    this.link = {
      generation: this.connections,
      pulse: new Pulse(now),
      peer: undefined,
      hello: true,
      ping: false,
      pong: false,
      arrived: 0,
      reported: 0,
      waiting: [],
    };
    return this.connections;
  }

  /** A connection is gone. An older one than the present says nothing. */
  disconnected(generation: number): void {
    if (this.link?.generation === generation) this.unlink();
  }

  /** Whether there is a connection and the peer has introduced itself. */
  get isLinked(): boolean {
    return this.link?.peer !== undefined;
  }

  /**
   * A message has come; what an older connection delivers is dropped. Throws `LinkError` when the
   * peer broke the rules: the link is given up, and its owner closes the connection after sending
   * `toMessage()` of the error. Sessions are as they were.
   */
  receive(generation: number, incoming: Message, now: number): void {
    if (this.link?.generation !== generation) return;
    this.orUnlink(() => this.takeIn(incoming, now));
  }

  /** When `tick` is due at the latest. */
  get deadline(): number | undefined {
    return this.link?.pulse.deadline;
  }

  /** Time has passed. Throws `LinkError` when the peer is gone; the link is given up. */
  tick(now: number): void {
    const due = this.link?.pulse.due(now);
    if (this.link && due === 'ping') this.link.ping = true;
    if (due === 'giveUp') {
      this.unlink();
      throw LinkError.silent();
    }
  }

  /** What has happened, oldest first. */
  event(): LinkEvent | undefined {
    return this.events.shift();
  }

  /** The next message to send, most urgent first. */
  transmit(): Message | undefined {
    const { link } = this;
    if (!link) return undefined;
    const about = this.aboutLink(link);
    if (about) return about;
    if (!link.peer) return undefined;
    const { window } = link.peer;
    return (
      link.waiting.shift() ??
      this.farewells.shift() ??
      this.inTurn((session) => session.nextControl()) ??
      this.inTurn((session) => session.nextInput(window))
    );
  }

  /** Sends a message beside the stream; lost with the link. False if there is no room for it. */
  send(outgoing: Message): boolean {
    if (!this.link || this.link.waiting.length >= MAX_WAITING) return false;
    this.link.waiting.push(outgoing);
    return true;
  }

  /** Opens a session, asked for again until the peer has answered. `more` is said with it. */
  open(sid: string, epoch: number, size: Winsize | undefined, more: Props = NO_PROPS): boolean {
    const window = this.window;
    return this.add(new Session({ sid, phase: 'opening', epoch, size, more, have: 0, window }));
  }

  /** Attaches to a session, with the output that is here; `undefined` for the screen alone. */
  resume(sid: string, have?: number, epoch = 0, size?: Winsize, more: Props = NO_PROPS): boolean {
    const window = this.window;
    return this.add(new Session({ sid, phase: 'running', epoch, size, more, have, window }));
  }

  /** Output before `offset` is shown, and the peer may let it go. */
  recorded(sid: string, offset: number): void {
    this.sessions.get(sid)?.recorded(offset);
  }

  /** So is the end of the session; it is gone from here. */
  endRecorded(sid: string): void {
    const session = this.sessions.get(sid);
    if (session?.phase !== 'ended') return;
    this.sessions.delete(sid);
    if (session.onLink.stated) this.farewells.push(toShell.ack(sid, session.output.position, true));
    else if (this.isLinked) this.farewells.push(toShell.forget(sid));
  }

  /** Ends the shell; said again on each link until the peer reports the end. */
  stop(sid: string): void {
    this.sessions.get(sid)?.stop();
  }

  /** Gives a session up without a word: a viewer leaves it to others. */
  leave(sid: string): void {
    this.sessions.delete(sid);
  }

  /** The terminal has to have this size. Said again on each link. */
  resize(sid: string, size: Winsize): void {
    this.sessions.get(sid)?.resize(size);
  }

  /** How many bytes of input the session can take now. */
  inputRoom(sid: string): number {
    return this.sessions.get(sid)?.input.room ?? 0;
  }

  /** Somebody typed this. It is kept until the shell end has applied it; otherwise nothing is taken. */
  input(sid: string, bytes: Uint8Array, now: number): 'taken' | NotTaken {
    const session = this.sessions.get(sid);
    if (!session) return 'unknown';
    if (session.phase !== 'running') return 'notRunning';
    if (!session.isTyping) return 'notInControl';
    if (bytes.length > session.input.roomFor(bytes)) return 'noRoom';
    session.input.push(bytes, now);
    return 'taken';
  }

  /** Asks for control of the session. */
  wantControl(sid: string): void {
    const session = this.sessions.get(sid);
    if (session) session.onLink.epoch = session.epoch + 1;
  }

  /** Whether this end may type, as far as it knows. */
  isInControl(sid: string): boolean {
    return this.sessions.get(sid)?.isTyping ?? false;
  }

  /** Input older than this when a link comes back waits for `releaseInput`. */
  holdInputAfter(sid: string, limitMs: number): void {
    const session = this.sessions.get(sid);
    if (session) session.holdAfterMs = limitMs;
  }

  /** What was held is still meant. */
  releaseInput(sid: string): void {
    this.sessions.get(sid)?.input.release();
  }

  /** Whose input is kept here, what of it is known to be applied, and the offset of the next byte typed. */
  inputPosition(sid: string): { epoch: number; applied: number; end: number } | undefined {
    const input = this.sessions.get(sid)?.input;
    return input && { epoch: input.epoch, applied: input.start, end: input.end };
  }

  private add(session: Session): boolean {
    const { sid } = session;
    if (sid === '' || sid.length > MAX_SID || this.sessions.has(sid)) return false;
    if (this.isLinked) session.ask();
    this.sessions.set(sid, session);
    return true;
  }

  private unlink(): void {
    this.link = undefined;
    this.farewells = [];
    for (const session of this.sessions.values()) session.unlinked();
  }

  private orUnlink(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.unlink();
      throw error;
    }
  }

  /** The next message about the link itself. */
  private aboutLink(link: Link): Message | undefined {
    if (link.hello) {
      link.hello = false;
      return onLink.hello(this.instance, this.window);
    }
    if (link.pong) {
      link.pong = false;
      return onLink.pong;
    }
    if (link.ping) {
      link.ping = false;
      return onLink.ping;
    }
    if (link.arrived - link.reported >= REPORT_AFTER) {
      link.reported = link.arrived;
      return onLink.received(link.arrived);
    }
    return undefined;
  }

  /** Asks each session in turn; whoever was served goes to the back. */
  private inTurn(ask: (session: Session) => Message | undefined): Message | undefined {
    for (const session of this.sessions.values()) {
      const found = ask(session);
      if (!found) continue;
      if (this.sessions.size > 1) {
        this.sessions.delete(session.sid);
        this.sessions.set(session.sid, session);
      }
      return found;
    }
    return undefined;
  }

  private takeIn(incoming: Message, now: number): void {
    const { link } = this;
    if (!link) return;
    link.pulse.heard(now);
    const about = readOnLink(incoming);
    if (about?.kind === 'error') {
      this.events.push({ event: 'peerError', text: about.text });
      return;
    }
    if (about?.kind === 'hello') {
      if (link.peer) throw new LinkError('second hello');
      link.peer = about.hello;
      this.events.push({ event: 'hello', instance: about.hello.instance });
      for (const session of this.sessions.values()) if (session.phase !== 'ended') session.ask();
      return;
    }
    if (!link.peer) throw new LinkError(`"${incoming.type}" before hello`);
    if (about) {
      if (about.kind === 'ping') link.pong = true;
      return;
    }
    link.arrived += cost(incoming);
    const word = readToUser(incoming);
    if (!word) {
      this.events.push({ event: 'other', message: incoming });
      return;
    }
    // About a session that was left: what is still under way is not wanted.
    const session = this.sessions.get(incoming.sid);
    if (session) this.word(session, word, now);
  }

  private word(session: Session, word: ToUser, now: number): void {
    const { sid } = session;
    const tell = (event: LinkEvent) => this.events.push(event);
    switch (word.kind) {
      case 'started':
        // The state says the same, and more.
        break;
      case 'refused':
        if (session.phase !== 'opening') throw LinkError.unexpected(sid, 'new');
        this.sessions.delete(sid);
        tell({ event: 'refused', sid, why: word.why, props: word.props });
        break;
      case 'state':
        session.stated(word.state, now, tell);
        break;
      case 'output': {
        const bytes = session.acceptOutput(word.offset, word.bytes);
        if (bytes.length === 0) break;
        const offset = session.output.position - bytes.length;
        tell({ event: 'output', sid, offset, timeMs: word.timeMs, bytes });
        break;
      }
      case 'resized': {
        const { offset, timeMs, size } = word;
        if (session.acceptSize(offset, size)) tell({ event: 'resized', sid, offset, timeMs, size });
        break;
      }
      case 'screen':
        session.acceptScreen(word.offset);
        tell({ event: 'screen', sid, offset: word.offset, size: word.size, bytes: word.bytes });
        break;
      case 'ack': {
        const { input } = session;
        if (input.isReady && input.applied(word.offset, word.dropped)) {
          tell({ event: 'applied', sid, offset: word.offset, dropped: input.dropped });
        }
        break;
      }
      case 'epoch':
        session.afterState('epoch');
        session.begin(word.epoch, word.offset, word.control, tell);
        break;
      case 'ended': {
        session.afterState('stop');
        const { position } = session.output;
        if (word.offset !== position) throw LinkError.hole(sid, position, word.offset);
        if (session.phase === 'ended') break;
        session.phase = 'ended';
        tell({ event: 'ended', sid, end: word.end, offset: word.offset });
        break;
      }
      case 'unknown':
        if (session.phase === 'ended') break;
        session.unlinked();
        tell({ event: 'lost', sid });
        break;
    }
  }
}
