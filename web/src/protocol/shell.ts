/** What the terminal's messages (protocol 1) tell of sizes and ends, whatever the stream. */

import { intProp, type Message, type Props, textProp } from './message.ts';

export interface Winsize {
  readonly rows: number;
  readonly cols: number;
}

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

function bodyText(incoming: Message): string {
  return new TextDecoder().decode(incoming.body).trim();
}
