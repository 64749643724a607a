/** The notices that stand over a terminal: one of each kind, the newest. */
import type { Notice } from './words.ts';

export type Shown =
  | Exclude<Notice, { kind: 'idleOver' | 'recordingOn' | 'held' }>
  /** A key was not taken, and why. */
  | { readonly kind: 'typingRefused'; readonly why: 'away' | 'watching' | 'tooMuch' | 'asked' }
  | { readonly kind: 'deviceBack'; readonly awaySince: number };

export function withNotice(
  notices: readonly Shown[],
  notice: Exclude<Notice, { kind: 'held' }> | Shown,
): readonly Shown[] {
  if (notice.kind === 'idleOver') return withoutNotice(notices, 'idle');
  if (notice.kind === 'recordingOn') return withoutNotice(notices, 'recording');
  const earlier = notices.find(({ kind }) => kind === notice.kind);
  const rest = notices.filter((each) => each !== earlier);
  return [...rest, merged(earlier, notice)];
}

export function withoutNotice(notices: readonly Shown[], kind: Shown['kind']): readonly Shown[] {
  return notices.some((each) => each.kind === kind)
    ? notices.filter((each) => each.kind !== kind)
    : notices;
}

/** Holes add up; who took over and how much was lost by it may come in two words. */
function merged(earlier: Shown | undefined, notice: Shown): Shown {
  if (notice.kind === 'gap' && earlier?.kind === 'gap') {
    const known = notice.bytes !== undefined && earlier.bytes !== undefined;
    return { kind: 'gap', bytes: known ? notice.bytes + earlier.bytes : undefined };
  }
  if (notice.kind === 'takenOver' && earlier?.kind === 'takenOver') {
    return {
      kind: 'takenOver',
      by: notice.by ?? earlier.by,
      unarrived: Math.max(notice.unarrived, earlier.unarrived),
    };
  }
  return notice;
}
