/**
 * A server's end of one session in small, for the simulation: what it takes for a broken rule throws.
 * `Truth` is the shell, which outlives servers and links; a `Leg` is one connection of one viewer.
 */
import {
  boolProp,
  decode,
  encode,
  intProp,
  type Message,
  message,
  Proto,
  type Value,
} from '../../src/protocol/message.ts';

/** Numbers that are the same for the same seed. */
export class Random {
  constructor(private state: number) {}

  /** A whole number from 0 to below `bound`. */
  below(bound: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * bound);
  }

  onceIn(times: number): boolean {
    return this.below(times) === 0;
  }
}

export const INPUT_WINDOW = 300;
const TAIL = 3000;
const UNDER_WAY = 40_000;

export const outputByte = (offset: number) => (offset * 31 + (offset >> 8) * 7) & 0xff;

export class Truth {
  produced = 0;
  /** The byte at each input offset that was applied; -1 for one that an interrupt threw away. */
  readonly applied: number[] = [];
  dropped = 0;
  epoch = 1;
  controller: number;
  /** Where each epoch's input starts. */
  readonly starts = new Map([[1, 0]]);
  ended = false;
  readonly sid: string;

  constructor(sid: string, opener: number) {
    this.sid = sid;
    this.controller = opener;
  }

  beginEpoch(controller: number): void {
    this.epoch += 1;
    this.controller = controller;
    this.starts.set(this.epoch, this.applied.length);
  }
}

type Props = Record<string, Value>;

export class Leg {
  readonly sent: Uint8Array[] = [];
  isGreeted = false;
  isStated = false;
  hasControl = false;
  private asked = false;
  private readonly words: Message[] = [];
  private outputSent = 0;
  private outputAcknowledged = 0;
  private inputPosition = 0;
  private inputQueue: number[] = [];
  private pageWindow = 0;
  private counted = 0;
  private reported = 0;
  private endSent = false;
  private sizeSent = false;

  constructor(
    private readonly truth: Truth,
    private readonly viewer: number,
    private readonly instance: string,
    /** A server that has just started does not know yet where the device's input stands. */
    private knowsInput: boolean,
  ) {
    this.words.push(
      message(Proto.control, 'hello', {
        props: new Map<string, Value>([
          ['version', 1],
          ['instance', this.instance],
          ['window', INPUT_WINDOW],
        ]),
      }),
    );
  }

  receive(bytes: Uint8Array): void {
    const incoming = decode(bytes);
    const { type, props } = incoming;
    const number = (name: string): number => {
      const value = intProp(props, name);
      if (value === undefined || value < 0) throw new Error(`${type} without ${name}`);
      return value;
    };
    if (incoming.proto === Proto.control) {
      if (type === 'hello') this.greeted(number('window'));
      else if (type === 'ping') this.words.unshift(message(Proto.control, 'pong'));
      else if (type === 'received') this.report(number('bytes'));
      else if (type !== 'pong') throw new Error(`the page says ${type}`);
      return;
    }
    if (!this.isGreeted) throw new Error(`${type} before hello`);
    switch (type) {
      case 'new':
        this.ask(0, 1, true);
        break;
      case 'resume':
        this.ask(intProp(props, 'offset'), intProp(props, 'epoch') ?? 0, false);
        break;
      case 'shell':
        this.input(number('offset'), number('epoch'), incoming.body);
        break;
      case 'interrupt':
        this.interrupt(number('offset'), number('epoch'), incoming.body[0] ?? 0);
        break;
      case 'ack': {
        if (!this.isStated) throw new Error('ack before state');
        const offset = number('offset');
        if (offset > this.outputSent) throw new Error('acknowledged what was not sent');
        this.outputAcknowledged = Math.max(this.outputAcknowledged, offset);
        if (boolProp(props, 'end', false) && !this.endSent) throw new Error('end before stop');
        break;
      }
      case 'epoch':
      case 'resize':
        break;
      default:
        throw new Error(`the page says ${type}`);
    }
  }

  /** The next message, if any has room. */
  transmit(): Uint8Array | undefined {
    const word = this.words.shift();
    if (word) return encode(word);
    const { truth } = this;
    if (!this.isStated || this.counted - this.reported >= UNDER_WAY) return undefined;
    if (!this.sizeSent) {
      this.sizeSent = true;
      const size = { offset: this.outputSent, time_ms: 0, terminal_width: 80, terminal_height: 24 };
      return encode(this.shell('resize', size));
    }
    if (this.outputSent < truth.produced - TAIL) this.show();
    const shown = this.words.shift();
    if (shown) return encode(shown);
    const end = Math.min(
      truth.produced,
      this.outputAcknowledged + this.pageWindow,
      this.outputSent + 700,
    );
    if (end > this.outputSent) {
      const offset = this.outputSent;
      const body = Uint8Array.from({ length: end - offset }, (_, at) => outputByte(offset + at));
      this.outputSent = end;
      this.counted += body.length + 64;
      return encode(this.shell('shell', { status: 1, offset, time_ms: offset }, body));
    }
    if (truth.ended && this.outputSent === truth.produced && !this.endSent) {
      this.endSent = true;
      const end = { status: 1, offset: truth.produced, reason: 'exited', exit_status: 0 };
      return encode(this.shell('stop', end));
    }
    return undefined;
  }

  /** The shell takes some input. */
  apply(count: number): void {
    if (!this.mayType) return;
    const taken = this.inputQueue.splice(0, count);
    if (taken.length === 0) return;
    this.truth.applied.push(...taken);
    this.acknowledge();
  }

  /** Another epoch has begun: what was not applied counts no more. */
  epochBegan(): void {
    this.inputQueue = [];
    this.knowsInput = true;
    if (!this.isStated) return;
    this.hasControl = this.truth.controller === this.viewer;
    this.inputPosition = this.truth.applied.length;
    this.say('epoch', {
      epoch: this.truth.epoch,
      offset: this.truth.applied.length,
      control: this.hasControl,
    });
  }

  /** The device was heard. */
  learnInput(): void {
    if (this.knowsInput) return;
    this.knowsInput = true;
    if (this.isStated && this.truth.controller === this.viewer) {
      this.hasControl = true;
      this.inputPosition = this.truth.applied.length;
      this.say('epoch', { epoch: this.truth.epoch, offset: this.truth.applied.length });
    }
  }

  private get mayType(): boolean {
    return this.isStated && this.hasControl && this.truth.controller === this.viewer;
  }

  private greeted(window: number): void {
    if (this.isGreeted) throw new Error('a second hello');
    this.isGreeted = true;
    this.pageWindow = window;
  }

  private report(total: number): void {
    if (total > this.counted) throw new Error('reported what was not sent');
    if (this.counted - total >= 2 * UNDER_WAY) throw new Error('reports come too late');
    this.reported = total;
  }

  private ask(have: number | undefined, epoch: number, isNew: boolean): void {
    if (this.asked) throw new Error('asked for twice');
    this.asked = true;
    const { truth } = this;
    if (have !== undefined && have > truth.produced) throw new Error('has what was not produced');
    if (epoch > truth.epoch) throw new Error('knows an epoch that is not');
    if (isNew) this.say('new', { status: 1 });
    const inTail = have !== undefined && have >= truth.produced - TAIL;
    const output = inTail ? have : truth.produced;
    this.outputSent = output;
    this.outputAcknowledged = output;
    this.hasControl = truth.controller === this.viewer && epoch === truth.epoch && this.knowsInput;
    const applied = truth.applied.length;
    const input = epoch > 0 ? (truth.starts.get(epoch + 1) ?? applied) : applied;
    this.inputPosition = applied;
    this.isStated = true;
    this.say('state', {
      offset: output,
      input,
      epoch: truth.epoch,
      control: this.hasControl,
      dropped: truth.dropped,
    });
    if (!inTail) this.show();
  }

  /** In place of bytes that are not kept any more. */
  private show(): void {
    this.outputSent = this.truth.produced;
    this.outputAcknowledged = this.outputSent;
    this.counted += 3 + 64;
    this.words.push(this.shell('screen', { offset: this.outputSent }, Uint8Array.of(1, 2, 3)));
  }

  private input(offset: number, epoch: number, body: Uint8Array): void {
    const { truth } = this;
    if (!this.isStated) throw new Error('input before state');
    if (epoch > truth.epoch) throw new Error('input of an epoch that is not');
    if (epoch < truth.epoch || !this.mayType) return;
    if (offset > this.inputPosition) throw new Error('a hole in the input');
    if (offset + body.length > truth.applied.length + INPUT_WINDOW) throw new Error('too much');
    const fresh = body.subarray(this.inputPosition - offset);
    this.inputQueue.push(...fresh);
    this.inputPosition += fresh.length;
  }

  /** The terminal takes nothing and turns the character into a signal, as far as it goes. */
  private interrupt(offset: number, epoch: number, byte: number): void {
    const { truth } = this;
    if (epoch !== truth.epoch || !this.mayType || offset < truth.applied.length) return;
    truth.dropped += offset - truth.applied.length;
    while (truth.applied.length < offset) truth.applied.push(-1);
    truth.applied.push(byte);
    this.inputQueue = this.inputQueue.slice(
      Math.max(0, this.inputQueue.length - Math.max(0, this.inputPosition - offset - 1)),
    );
    this.inputPosition = Math.max(this.inputPosition, offset + 1);
    this.acknowledge();
  }

  private acknowledge(): void {
    const { applied, dropped } = this.truth;
    this.say('ack', dropped ? { offset: applied.length, dropped } : { offset: applied.length });
  }

  private say(type: string, props: Props): void {
    this.words.push(this.shell(type, props));
  }

  private shell(type: string, props: Props, body?: Uint8Array): Message {
    return message(Proto.shell, type, {
      sid: this.truth.sid,
      props: new Map(Object.entries(props)),
      ...(body ? { body } : {}),
    });
  }
}
