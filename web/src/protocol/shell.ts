/** The terminal's messages (protocol 1) as a page sends and receives them. */

import { intProp, type Message, message, type Props, Proto, textProp } from './message.ts';

export interface Winsize {
  readonly rows: number;
  readonly cols: number;
}

/** The subprotocol in which output carries offsets and the page acknowledges what it has shown. */
export const LONGWIRE_V1 = 'longwire.v1';

/** Why a session ended, as `reason` in a `stop` says it. */
export const END_REASONS = [
  'exited',
  'signaled',
  'stopped',
  'idle',
  'expired',
  'device_gone',
  'over_limit',
  'refused',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** How a shell ended. */
export interface Ended {
  readonly reason: EndReason | undefined;
  readonly exitStatus: number | undefined;
  /** For people; may be empty. */
  readonly text: string;
}

export function readEnded(incoming: Message): Ended {
  const reason = textProp(incoming.props, 'reason');
  return {
    reason: END_REASONS.find((known) => known === reason),
    exitStatus: intProp(incoming.props, 'exit_status'),
    text: bodyText(incoming),
  };
}

/** A size, if both numbers are there and possible. */
export function readSize(props: Props): Winsize | undefined {
  const rows = intProp(props, 'terminal_height') ?? 0;
  const cols = intProp(props, 'terminal_width') ?? 0;
  const possible = (count: number) => count >= 1 && count <= 0xffff;
  return possible(rows) && possible(cols) ? { rows, cols } : undefined;
}

export type FromDevice =
  | { readonly kind: 'started'; readonly sid: string }
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'output'; readonly bytes: Uint8Array; readonly offset: number | undefined }
  /** What was typed did not reach the shell. */
  | { readonly kind: 'inputFailed'; readonly text: string }
  | ({ readonly kind: 'stop' } & Ended)
  /** Must be answered by `pong` within the timeout. */
  | { readonly kind: 'ping'; readonly timeoutSeconds: number | undefined }
  | { readonly kind: 'unknown' };

const STATUS_ERROR = 2;

/** Output and input are split so that neither a key nor an interrupt waits behind a huge paste. */
export const INPUT_BODY_MAX = 32 * 1024;

export function read(incoming: Message): FromDevice {
  if (incoming.proto !== Proto.shell) return { kind: 'unknown' };
  const failed = intProp(incoming.props, 'status') === STATUS_ERROR;
  switch (incoming.type) {
    case 'new':
      return failed
        ? { kind: 'refused', text: bodyText(incoming) }
        : { kind: 'started', sid: incoming.sid };
    case 'shell':
      return failed
        ? { kind: 'inputFailed', text: bodyText(incoming) }
        : { kind: 'output', bytes: incoming.body, offset: intProp(incoming.props, 'offset') };
    case 'stop':
      return { kind: 'stop', ...readEnded(incoming) };
    case 'ping':
      return { kind: 'ping', timeoutSeconds: intProp(incoming.props, 'timeout') };
    default:
      return { kind: 'unknown' };
  }
}

export const toDevice = {
  start(size: Winsize): Message {
    return message(Proto.shell, 'new', { props: sizeProps(size) });
  },
  input(sid: string, bytes: Uint8Array): Message {
    return message(Proto.shell, 'shell', { sid, body: bytes });
  },
  resize(sid: string, size: Winsize): Message {
    return message(Proto.shell, 'resize', { sid, props: sizeProps(size) });
  },
  stop(sid: string): Message {
    return message(Proto.shell, 'stop', { sid });
  },
  pong(sid: string): Message {
    return message(Proto.shell, 'pong', { sid });
  },
  /** `offset`: bytes of output drawn since the shell started. */
  ack(sid: string, offset: number): Message {
    return message(Proto.shell, 'ack', { sid, props: new Map([['offset', offset]]) });
  },
};

/** Cuts input into bodies of at most `INPUT_BODY_MAX` bytes; nothing is dropped. */
export function* splitInput(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += INPUT_BODY_MAX)
    yield bytes.subarray(at, at + INPUT_BODY_MAX);
}

function sizeProps(size: Winsize): Map<string, number> {
  return new Map([
    ['terminal_width', size.cols],
    ['terminal_height', size.rows],
  ]);
}

function bodyText(incoming: Message): string {
  return new TextDecoder().decode(incoming.body).trim();
}
