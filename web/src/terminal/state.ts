/** What is known of a session in a page, and where its output goes. */
import type { Winsize } from '../protocol/shell.ts';
import type { LinkState } from './connection.ts';
import type { End } from './ended.ts';
import type { Shown } from './notices.ts';
import type { DeviceWord, Viewer } from './words.ts';

/** What a page wants with a session. */
export type Intent = 'new' | 'resume' | 'takeOver' | 'watch';

export interface ChannelState {
  readonly phase: 'opening' | 'live' | 'ended';
  readonly link: LinkState;
  /** Dials that have failed since the link was last up. */
  readonly failures: number;
  readonly device: DeviceWord | undefined;
  /** Whether typing here counts. */
  readonly control: boolean;
  /** Control was asked for and is not given yet. */
  readonly asking: boolean;
  /** The end was asked for and has not come yet. */
  readonly ending: boolean;
  readonly viewers: readonly Viewer[];
  readonly notices: readonly Shown[];
  /** Input that waits for somebody to say that it is still meant, in bytes. */
  readonly held: number;
  /** The size the terminal has on the device, once known. */
  readonly size: Winsize | undefined;
  readonly end: End | undefined;
}

/** Where output is drawn, in the order it is given; `drawn` is called when it is on screen. */
export interface Sink {
  /** `live`: made just now and for us, so that the terminal may answer what it is asked. */
  write(bytes: Uint8Array, live: boolean, drawn: () => void): void;
  /** Begins anew with the whole screen. */
  restart(bytes: Uint8Array, drawn: () => void): void;
  resize(size: Winsize): void;
}

/** Nothing is known yet. */
export const UNKNOWN: ChannelState = {
  phase: 'opening',
  link: { kind: 'dialling' },
  failures: 0,
  device: undefined,
  control: false,
  asking: false,
  ending: false,
  viewers: [],
  notices: [],
  held: 0,
  size: undefined,
  end: undefined,
};
