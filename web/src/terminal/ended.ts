/** How a terminal session can end, and how that is told to a person. */
import type { Ended, EndReason } from '../protocol/shell.ts';

export type End =
  /** The shell has ended, with a reason when the peer gives one. `byMe`: the operator ended it in this page. */
  | ({ readonly kind: 'ended'; readonly byMe: boolean } & Ended)
  /** The operator ended it while the device was away: the server sees to it. */
  | { readonly kind: 'endsLater' }
  /** The shell was never started; `detached`: sessions of the operator that hold its place. */
  | { readonly kind: 'refused'; readonly text: string; readonly detached: readonly string[] }
  /** There is no such session, or not for this person. */
  | { readonly kind: 'sessionGone' }
  /** The session cannot be reached, and the page knows why. */
  | { readonly kind: 'notConnected'; readonly text: string }
  /** The server sent the page away. */
  | { readonly kind: 'linkLost'; readonly text: string }
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
      if (end.byMe && (end.reason === 'stopped' || end.reason === undefined)) {
        return { tone: 'done', title: 'You ended this session' };
      }
      return describeReason(end.reason, end.exitStatus, end.text);
    case 'endsLater':
      return {
        tone: 'done',
        title: 'You ended this session',
        detail: 'The shell is ended as soon as the device is back. Nobody can open it any more.',
      };
    case 'refused':
      return describeRefusal(end.text);
    case 'sessionGone':
      return {
        tone: 'cut',
        title: 'This session is over',
        detail: 'It has ended in the meantime, or it is not one you may see.',
      };
    case 'notConnected':
      return { tone: 'failed', title: 'The terminal could not be opened', ...detail(end.text) };
    case 'linkLost':
      return { tone: 'cut', title: 'The server closed this terminal', ...detail(end.text) };
    case 'badMessage':
      return {
        tone: 'failed',
        title: 'The terminal could not be opened',
        detail: 'This page and the server do not speak the same language. Reload the page.',
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
        title: 'The device lost this session',
        detail: 'It was restarted, or stayed away for too long. What ran in the shell is gone.',
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
        'This device allows one session for each operator. Go on with the other one, or end it first.',
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
