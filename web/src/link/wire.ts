/** The messages of the stream: what a page writes, and what it reads. */
import {
  intProp,
  type Message,
  message,
  type Props,
  Proto,
  textProp,
  type Value,
} from '../protocol/message.ts';
import { Reader } from '../protocol/msgpack.ts';
import { type Ended, readEnded, readSize, type Winsize } from '../protocol/shell.ts';
import { LinkError } from './error.ts';
import {
  INPUT_WINDOW,
  MAX_BODY,
  MAX_FEATURES,
  MAX_SCREEN,
  MAX_WINDOW,
  MAX_WORD,
  MESSAGE_COST,
  VERSION,
} from './limits.ts';

/** How an end introduces itself. */
export interface Hello {
  readonly version: number;
  readonly features: readonly string[];
  /** Which run of which program it is. */
  readonly instance: string;
  /** Bytes it takes in per session beyond what it has acknowledged. */
  readonly window: number;
}

export const onLink = {
  hello(instance: string, window: number): Message {
    return message(Proto.control, 'hello', {
      props: new Map<string, Value>([
        ['version', VERSION],
        ['features', []],
        ['instance', instance],
        ['window', window],
      ]),
    });
  },
  ping: message(Proto.control, 'ping'),
  pong: message(Proto.control, 'pong'),
  /** `bytes`: counted bytes of output that have come in since the link began. */
  received(bytes: number): Message {
    return message(Proto.control, 'received', { props: new Map([['bytes', bytes]]) });
  },
};

export type OnLink =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'ping' }
  | { readonly kind: 'pong' }
  | { readonly kind: 'error'; readonly text: string };

/** Reads a message about the link; `undefined` if it is about something else or unknown. */
export function readOnLink(incoming: Message): OnLink | undefined {
  if (incoming.proto !== Proto.control || incoming.sid !== '') return undefined;
  switch (incoming.type) {
    case 'hello':
      return { kind: 'hello', hello: readHello(incoming) };
    case 'ping':
      return { kind: 'ping' };
    case 'pong':
      return { kind: 'pong' };
    case 'error':
      return { kind: 'error', text: errorText(incoming) };
    default:
      return undefined;
  }
}

function readHello(incoming: Message): Hello {
  const version = intProp(incoming.props, 'version');
  if (version === undefined) throw LinkError.malformed('hello', 'version');
  if (version < VERSION) throw new LinkError(`version ${version} is not spoken here`);
  const instance = textProp(incoming.props, 'instance') ?? '';
  if (instance.length > MAX_WORD) throw LinkError.tooMuch('instance');
  const window = optional(incoming, 'window') ?? INPUT_WINDOW;
  if (window === 0) throw LinkError.malformed('hello', 'window');
  const listed = incoming.props.get('features') ?? [];
  if (!Array.isArray(listed)) throw LinkError.malformed('hello', 'features');
  const features = listed.filter((word) => typeof word === 'string');
  if (listed.length > MAX_FEATURES || features.some((word) => word.length > MAX_WORD)) {
    throw LinkError.tooMuch('features');
  }
  return { version, features, instance, window: Math.min(window, MAX_WINDOW) };
}

function errorText(incoming: Message): string {
  const fields = new Reader(incoming.body).value();
  const text = fields instanceof Map ? fields.get('err') : undefined;
  return typeof text === 'string' ? text : '';
}

const shell = (type: string, sid: string, props: Props, body?: Uint8Array): Message =>
  message(Proto.shell, type, { sid, props, ...(body ? { body } : {}) });

const at = (offset: number, epoch: number): Props =>
  new Map([
    ['offset', offset],
    ['epoch', epoch],
  ]);

/** The messages to the shell end. `more`: properties beyond those of the stream. */
export const toShell = {
  open(sid: string, epoch: number, size: Winsize | undefined, more: Props): Message {
    return shell('new', sid, new Map([...more, ...sizeProps(size), ['epoch', epoch]]));
  },
  resume(
    sid: string,
    have: number | undefined,
    epoch: number,
    size: Winsize | undefined,
    more: Props,
  ): Message {
    const props = new Map([...more, ...sizeProps(size)]);
    if (have !== undefined) props.set('offset', have);
    if (epoch > 0) props.set('epoch', epoch);
    return shell('resume', sid, props);
  },
  input(sid: string, offset: number, epoch: number, bytes: Uint8Array): Message {
    return shell('shell', sid, at(offset, epoch), bytes);
  },
  resize(sid: string, size: Winsize): Message {
    return shell('resize', sid, new Map(sizeProps(size)));
  },
  interrupt(sid: string, offset: number, epoch: number, byte: number): Message {
    return shell('interrupt', sid, at(offset, epoch), Uint8Array.of(byte));
  },
  epoch(sid: string, epoch: number): Message {
    return shell('epoch', sid, new Map([['epoch', epoch]]));
  },
  skip(sid: string, offset: number, epoch: number): Message {
    return shell('skip', sid, at(offset, epoch));
  },
  ack(sid: string, offset: number, end: boolean): Message {
    const props = new Map<string, Value>([['offset', offset]]);
    if (end) props.set('end', true);
    return shell('ack', sid, props);
  },
  stop(sid: string): Message {
    return shell('stop', sid, new Map());
  },
  /** The end is known here from an earlier link: nobody wants the rest. */
  forget(sid: string): Message {
    const props = new Map<string, Value>([
      ['status', 2],
      ['forget', true],
    ]);
    return shell('stop', sid, props, new TextEncoder().encode('the end is known'));
  },
};

function sizeProps(size: Winsize | undefined): [string, Value][] {
  if (!size) return [];
  return [
    ['terminal_width', size.cols],
    ['terminal_height', size.rows],
  ];
}

/** Where a session stands at the shell end. */
export interface State {
  /** Where output continues on this link. */
  readonly output: number;
  /** Where input continues. */
  readonly input: number;
  readonly epoch: number;
  /** Whether our input is the one that counts. */
  readonly control: boolean;
  /** Input bytes that interrupts threw away, since the session's start. */
  readonly dropped: number;
}

/** A message from the shell end. Offsets and other counts are exact integers. */
export type ToUser =
  | { readonly kind: 'started' }
  | { readonly kind: 'refused'; readonly why: string; readonly props: Props }
  | { readonly kind: 'state'; readonly state: State }
  | {
      readonly kind: 'output';
      readonly offset: number;
      readonly timeMs: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'resized';
      readonly offset: number;
      readonly timeMs: number;
      readonly size: Winsize;
    }
  | {
      readonly kind: 'screen';
      readonly offset: number;
      readonly size: Winsize | undefined;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'ack'; readonly offset: number; readonly dropped: number }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly offset: number;
      readonly control: boolean;
    }
  | { readonly kind: 'ended'; readonly end: Ended; readonly offset: number }
  | { readonly kind: 'unknown' };

/** Reads a message from the shell end; `undefined` if its type is unknown or belongs elsewhere. */
export function readToUser(incoming: Message): ToUser | undefined {
  if (incoming.proto !== Proto.shell) return undefined;
  const offset = () => number(incoming, 'offset');
  const timeMs = () => optional(incoming, 'time_ms') ?? 0;
  const control = () => flag(incoming, 'control', true);
  switch (incoming.type) {
    case 'state':
      return {
        kind: 'state',
        state: {
          output: offset(),
          input: number(incoming, 'input'),
          epoch: number(incoming, 'epoch'),
          control: control(),
          dropped: optional(incoming, 'dropped') ?? 0,
        },
      };
    case 'shell':
      if (incoming.body.length > MAX_BODY) throw LinkError.tooMuch('output');
      return { kind: 'output', offset: offset(), timeMs: timeMs(), bytes: incoming.body };
    case 'resize': {
      const size = readSize(incoming.props);
      if (!size) throw LinkError.malformed('resize', 'size');
      return { kind: 'resized', offset: offset(), timeMs: timeMs(), size };
    }
    case 'screen':
      if (incoming.body.length > MAX_SCREEN) throw LinkError.tooMuch('screen');
      return {
        kind: 'screen',
        offset: offset(),
        size: readSize(incoming.props),
        bytes: incoming.body,
      };
    case 'ack':
      return { kind: 'ack', offset: offset(), dropped: optional(incoming, 'dropped') ?? 0 };
    case 'epoch':
      return {
        kind: 'epoch',
        epoch: number(incoming, 'epoch'),
        offset: offset(),
        control: control(),
      };
    case 'new': {
      if (intProp(incoming.props, 'status') !== 2) return { kind: 'started' };
      const why = new TextDecoder().decode(incoming.body).trim();
      return { kind: 'refused', why, props: incoming.props };
    }
    case 'stop':
      return { kind: 'ended', end: readEnded(incoming), offset: offset() };
    case 'unknown':
      return { kind: 'unknown' };
    default:
      return undefined;
  }
}

/** What a message counts among the bytes under way; 0 for everything but output and screens. */
export function cost(incoming: Message): number {
  const counts =
    incoming.proto === Proto.shell && (incoming.type === 'shell' || incoming.type === 'screen');
  return counts ? incoming.body.length + MESSAGE_COST : 0;
}

function optional(incoming: Message, name: string): number | undefined {
  if (!incoming.props.has(name)) return undefined;
  const value = incoming.props.get(name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw LinkError.malformed(incoming.type, name);
  }
  return value;
}

function number(incoming: Message, name: string): number {
  const value = optional(incoming, name);
  if (value === undefined) throw LinkError.malformed(incoming.type, name);
  return value;
}

function flag(incoming: Message, name: string, absent: boolean): boolean {
  const value = incoming.props.get(name);
  if (value === undefined) return absent;
  if (typeof value !== 'boolean') throw LinkError.malformed(incoming.type, name);
  return value;
}
