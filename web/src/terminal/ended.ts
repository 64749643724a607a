/** How a terminal session can end, and how that is told to a person. */
import type { EndReason } from '../protocol/shell.ts';

export type End =
  /** The device or the server ended it, with a reason when the peer gives one. */
  | {
      readonly kind: 'ended';
      readonly reason: EndReason | undefined;
      readonly exitStatus: number | undefined;
      readonly text: string;
    }
  /** The shell was never started. */
  | { readonly kind: 'refused'; readonly text: string }
  /** The operator ended it in this page. */
  | { readonly kind: 'stoppedHere' }
  /** The websocket never opened; browsers do not say why. */
  | { readonly kind: 'notConnected'; readonly text: string }
  | { readonly kind: 'linkLost'; readonly code: number; readonly text: string }
  /** Nothing was heard for longer than the server promised. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'shellGone'; readonly text: string }
  | { readonly kind: 'badMessage' };

export interface EndNotice {
  /** `done`: as wished. `cut`: somebody or something cut it short. `failed`: it did not work. */
  readonly tone: 'done' | 'cut' | 'failed';
  readonly title: string;
  readonly detail?: string;
}

export function describe(end: End): EndNotice {
  switch (end.kind) {
    case 'ended':
      return describeReason(end.reason, end.exitStatus, end.text);
    case 'refused':
      return describeRefusal(end.text);
    case 'stoppedHere':
      return { tone: 'done', title: 'You ended this session' };
    case 'notConnected':
      return {
        tone: 'failed',
        title: 'The terminal could not be opened',
        detail: end.text || 'The server did not accept the connection.',
      };
    case 'linkLost':
      return {
        tone: 'cut',
        title: 'Connection to the server lost',
        detail: end.text || 'The link broke. What ran in this shell has been hung up.',
      };
    case 'silent':
      return {
        tone: 'cut',
        title: 'The server went silent',
        detail: 'Nothing was heard for more than a minute, so the connection was given up.',
      };
    case 'shellGone':
      return { tone: 'cut', title: 'The shell is gone', detail: end.text };
    case 'badMessage':
      return {
        tone: 'failed',
        title: 'The session was closed',
        detail:
          'The server sent something this page does not understand. Reload the page and try again.',
      };
  }
}

function describeReason(
  reason: EndReason | undefined,
  exitStatus: number | undefined,
  text: string,
): EndNotice {
  switch (reason) {
    case 'exited':
      return {
        tone: exitStatus ? 'cut' : 'done',
        title: exitStatus === undefined ? 'Shell exited' : `Shell exited with status ${exitStatus}`,
      };
    case 'signaled':
      return { tone: 'cut', title: 'Shell was ended by a signal', ...detail(text) };
    case 'stopped':
      return { tone: 'cut', title: 'Session was ended', ...detail(text) };
    case 'idle':
      return {
        tone: 'cut',
        title: 'Ended after too long without activity',
        ...detail(text),
      };
    case 'expired':
      return { tone: 'cut', title: 'The longest time for a session is over', ...detail(text) };
    case 'device_gone':
      return {
        tone: 'cut',
        title: 'The device lost its connection',
        detail: 'It did not come back in time, so the session was closed.',
      };
    case 'over_limit':
      return { tone: 'cut', title: 'A limit of this session was reached', ...detail(text) };
    case 'refused':
      return { tone: 'cut', title: 'Access to this session was withdrawn', ...detail(text) };
    case undefined:
      // Plain agents report the end of the terminal's file and no status.
      return /input\/output error/.test(text)
        ? { tone: 'done', title: 'Shell exited' }
        : { tone: 'done', title: 'Session ended', ...detail(text) };
  }
}

function describeRefusal(text: string): EndNotice {
  if (text === 'user has too many open sessions') {
    return {
      tone: 'failed',
      title: 'You already have a terminal open on this device',
      detail:
        'This device allows one session for each operator. End the other one, or wait a few seconds if it has just been closed.',
    };
  }
  if (text === 'too many shells spawned') {
    return {
      tone: 'failed',
      title: 'Too many shells are open on this device',
      detail: 'Wait until one of them has ended, then try again.',
    };
  }
  return {
    tone: 'failed',
    title: 'The device did not start a shell',
    ...detail(text),
  };
}

/** Peers write their texts without a capital; here each is a sentence of its own. */
function detail(text: string): { detail?: string } {
  return text ? { detail: text.charAt(0).toUpperCase() + text.slice(1) } : {};
}
