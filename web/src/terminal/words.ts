/** What the server tells viewers about a session beside its stream (docs/protocol.md). */
import {
  boolProp,
  intProp,
  type Message,
  Proto,
  textProp,
  type Value,
} from '../protocol/message.ts';

/** Somebody who is attached to the session. */
export interface Viewer {
  /** What to name when control is handed over; missing if the server cannot do that. */
  readonly id: string | number | undefined;
  /** An e-mail address. */
  readonly name: string;
  readonly control: boolean;
  /** Whether it is this page. */
  readonly self: boolean;
  /** Unix milliseconds. */
  readonly since: number;
}

export interface DeviceWord {
  readonly connected: boolean;
  /** Since when, in Unix milliseconds. */
  readonly since: number;
  /** False for agents of others, whose output does not survive a lost link. */
  readonly lossless: boolean;
  /** Right after an attach: output before this offset was not made for us. */
  readonly liveFrom: number | undefined;
}

export type Notice =
  /** The session ends at this time (Unix milliseconds) for want of typing, or for good. */
  | { readonly kind: 'idle' | 'expiry'; readonly endsAt: number }
  | { readonly kind: 'idleOver' }
  /** Output that nobody has any more; `bytes` is missing if nobody knows how much. */
  | { readonly kind: 'gap'; readonly bytes: number | undefined }
  /** Somebody else has the controls; so much of what was typed here did not arrive. */
  | { readonly kind: 'takenOver'; readonly by: string | undefined; readonly unarrived: number }
  /** The server has input that waited too long for the device: is it still meant? */
  | { readonly kind: 'held'; readonly bytes: number }
  /** An interrupt has thrown away input before it. */
  | { readonly kind: 'interrupted'; readonly bytes: number }
  /** About the recording, or of a kind this page does not know: the server's own words. */
  | { readonly kind: 'recording' | 'controlRefused' | 'other'; readonly text: string }
  /** The recording goes on after it could not be written. */
  | { readonly kind: 'recordingOn' };

export type Word =
  | { readonly word: 'presence'; readonly viewers: readonly Viewer[] }
  | { readonly word: 'device'; readonly device: DeviceWord }
  | { readonly word: 'notice'; readonly notice: Notice };

/** Reads one; `undefined` for what is not known here. */
export function readWord(incoming: Message): Word | undefined {
  if (incoming.proto !== Proto.shell) return undefined;
  const { props } = incoming;
  switch (incoming.type) {
    case 'presence': {
      const listed = props.get('viewers');
      const viewers = Array.isArray(listed) ? listed.flatMap(readViewer) : [];
      return { word: 'presence', viewers };
    }
    case 'device': {
      const device = {
        connected: boolProp(props, 'connected', true),
        since: intProp(props, 'since') ?? 0,
        lossless: boolProp(props, 'lossless', true),
        liveFrom: intProp(props, 'offset'),
      };
      return { word: 'device', device };
    }
    case 'notice': {
      const notice = readNotice(incoming);
      return notice && { word: 'notice', notice };
    }
    default:
      return undefined;
  }
}

function readViewer(value: Value): Viewer[] {
  if (!(value instanceof Map)) return [];
  const id = value.get('id');
  return [
    {
      id: typeof id === 'string' || typeof id === 'number' ? id : undefined,
      name: textProp(value, 'name') ?? '',
      control: boolProp(value, 'control', false),
      self: boolProp(value, 'self', false),
      since: intProp(value, 'since') ?? 0,
    },
  ];
}

function readNotice(incoming: Message): Notice | undefined {
  const { props } = incoming;
  const text = new TextDecoder().decode(incoming.body).trim();
  const kind = textProp(props, 'kind');
  switch (kind) {
    case 'idle':
    case 'expiry': {
      const endsAt = intProp(props, 'ends_at');
      return endsAt === undefined ? undefined : { kind, endsAt };
    }
    case 'idle_over':
      return { kind: 'idleOver' };
    case 'gap': {
      const from = intProp(props, 'from');
      const to = intProp(props, 'to');
      return { kind, bytes: from === undefined || to === undefined ? undefined : to - from };
    }
    case 'taken_over':
      return {
        kind: 'takenOver',
        by: textProp(props, 'by'),
        unarrived: intProp(props, 'unarrived') ?? 0,
      };
    case 'held':
      return { kind: 'held', bytes: intProp(props, 'bytes') ?? 0 };
    case 'interrupted':
      return { kind, bytes: intProp(props, 'bytes') ?? 0 };
    case 'recording':
      return boolProp(props, 'paused', true) ? { kind, text } : { kind: 'recordingOn' };
    case 'refused':
      return { kind: 'controlRefused', text };
    default:
      return text ? { kind: 'other', text } : undefined;
  }
}
