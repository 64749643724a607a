/** What a user end tells its owner. */
import type { Message, Props } from '../protocol/message.ts';
import type { Ended, Winsize } from '../protocol/shell.ts';

export type LinkEvent =
  /** The peer has introduced itself: the link is up. */
  | { readonly event: 'hello'; readonly instance: string }
  /** The shell runs; said once in the life of a session. */
  | { readonly event: 'started'; readonly sid: string }
  /** It could not be started; the session is gone. `props`: what the peer says beside why. */
  | { readonly event: 'refused'; readonly sid: string; readonly why: string; readonly props: Props }
  /** The session goes on after a new connection. */
  | { readonly event: 'resumed'; readonly sid: string }
  /** Output: each byte once, in order. */
  | {
      readonly event: 'output';
      readonly sid: string;
      readonly offset: number;
      /** Milliseconds since the shell's start. */
      readonly timeMs: number;
      readonly bytes: Uint8Array;
    }
  /** From this offset on the terminal has this size. */
  | {
      readonly event: 'resized';
      readonly sid: string;
      readonly offset: number;
      readonly timeMs: number;
      readonly size: Winsize;
    }
  /** The whole screen, in place of everything before the offset. */
  | {
      readonly event: 'screen';
      readonly sid: string;
      readonly offset: number;
      readonly size: Winsize | undefined;
      readonly bytes: Uint8Array;
    }
  /** Input before the offset has been applied; `dropped` of the session's were thrown away so far. */
  | {
      readonly event: 'applied';
      readonly sid: string;
      readonly offset: number;
      readonly dropped: number;
    }
  /** An epoch has begun: where its input starts, whether it is ours, what of ours did not arrive. */
  | {
      readonly event: 'epoch';
      readonly sid: string;
      readonly epoch: number;
      readonly offset: number;
      readonly control: boolean;
      readonly unarrived: number;
    }
  /** Input was given too long before the link came back: it waits for `releaseInput`, or for a new epoch. */
  | { readonly event: 'inputHeld'; readonly sid: string; readonly bytes: number }
  /** The shell has ended; the owner says `endRecorded` once it is shown. */
  | {
      readonly event: 'ended';
      readonly sid: string;
      readonly end: Ended;
      readonly offset: number;
    }
  /** The peer does not have the session, or not for us. */
  | { readonly event: 'lost'; readonly sid: string }
  /** The peer gives the link up, and says why. */
  | { readonly event: 'peerError'; readonly text: string }
  /** A message that is not of this stream. */
  | { readonly event: 'other'; readonly message: Message };
