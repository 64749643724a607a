/** The envelope of every websocket message, as the Mender protocol has it. */

import { MsgpackError, Reader, type Value, type ValueMap, Writer } from './msgpack.ts';

export const Proto = {
  shell: 1,
  fileTransfer: 2,
  portForward: 3,
  menderClient: 4,
  control: 0xffff,
} as const;

/** What travels in `props`, by name. */
export type Props = ReadonlyMap<string, Value>;

export interface Message {
  readonly proto: number;
  readonly type: string;
  /** Session id; empty until the server has told it. */
  readonly sid: string;
  readonly props: Props;
  readonly body: Uint8Array;
}

const NO_PROPS: Props = new Map();
const NO_BODY = new Uint8Array(0);
const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

export function message(
  proto: number,
  type: string,
  rest: { sid?: string; props?: Props; body?: Uint8Array } = {},
): Message {
  return {
    proto,
    type,
    sid: rest.sid ?? '',
    props: rest.props ?? NO_PROPS,
    body: rest.body ?? NO_BODY,
  };
}

/** Decodes one message; throws `MsgpackError` when it is none. Unknown keys are ignored. */
export function decode(bytes: Uint8Array): Message {
  const root = new Reader(bytes).value();
  if (!(root instanceof Map)) throw new MsgpackError('not a message');
  const header = root.get('hdr');
  if (!(header instanceof Map)) throw new MsgpackError('message without header');
  const proto = header.get('proto') ?? 0;
  if (typeof proto !== 'number' || !Number.isInteger(proto) || proto < 0 || proto > 0xffff) {
    throw new MsgpackError('invalid protocol number');
  }
  const props = header.get('props') ?? null;
  if (props !== null && !(props instanceof Map)) throw new MsgpackError('malformed properties');
  return {
    proto,
    type: asText(header.get('typ')),
    sid: asText(header.get('sid')),
    props: props ?? NO_PROPS,
    body: asBytes(root.get('body')),
  };
}

/**
 * Encodes a message in the one form all receivers understand: protocol number as 16 bits, `offset`
 * as 64 bits, everything else minimal, what is empty left out, the body binary.
 */
export function encode(outgoing: Message): Uint8Array<ArrayBuffer> {
  const hasBody = outgoing.body.length > 0;
  const out = new Writer(outgoing.body.length + 192);
  out.mapHeader(hasBody ? 2 : 1);
  out.string('hdr');
  out.mapHeader(
    1 + (outgoing.type ? 1 : 0) + (outgoing.sid ? 1 : 0) + (outgoing.props.size ? 1 : 0),
  );
  out.string('proto');
  out.uint16(outgoing.proto);
  if (outgoing.type) {
    out.string('typ');
    out.string(outgoing.type);
  }
  if (outgoing.sid) {
    out.string('sid');
    out.string(outgoing.sid);
  }
  if (outgoing.props.size) {
    out.string('props');
    out.mapHeader(outgoing.props.size);
    for (const [name, value] of outgoing.props) {
      out.string(name);
      if (name === 'offset' && typeof value === 'number') out.int64(value);
      else out.value(value);
    }
  }
  if (hasBody) {
    out.string('body');
    out.binary(outgoing.body);
  }
  return out.finish();
}

/** An integer property of any width, or `undefined`. */
export function intProp(props: Props, name: string): number | undefined {
  const value = props.get(name);
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}

/** A truth value, or `absent` when it is left out or something else. */
export function boolProp(props: Props, name: string, absent: boolean): boolean {
  const value = props.get(name);
  return typeof value === 'boolean' ? value : absent;
}

export function textProp(props: Props, name: string): string | undefined {
  const value = props.get(name);
  return typeof value === 'string' ? value : undefined;
}

function asText(value: Value | undefined): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) {
    try {
      return strictUtf8.decode(value);
    } catch {
      throw new MsgpackError('malformed text in header');
    }
  }
  if (value === null || value === undefined) return '';
  throw new MsgpackError('text expected in header');
}

function asBytes(value: Value | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return utf8.encode(value);
  // Old pages send an empty map for "nothing".
  if (value === null || value === undefined || value instanceof Map) return NO_BODY;
  throw new MsgpackError('malformed body');
}

export type { Value, ValueMap };
