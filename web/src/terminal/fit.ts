/** How a terminal of a given size is placed on the stage there is. Lengths in CSS pixels. */
import type { Winsize } from '../protocol/shell.ts';

export interface Box {
  readonly width: number;
  readonly height: number;
}

/** Smaller text nobody can read: then the stage scrolls. */
export const SMALLEST_FONT = 6;

/** How many whole cells the stage has room for. */
export function sizeFor(stage: Box, cell: Box): Winsize {
  return {
    cols: Math.max(2, Math.floor(stage.width / cell.width)),
    rows: Math.max(1, Math.floor(stage.height / cell.height)),
  };
}

/**
 * The font size at which a terminal of somebody else's size fits the stage: the preferred one, or
 * smaller. `cell`: of a character at the preferred size.
 */
export function fontFor(stage: Box, cell: Box, size: Winsize, preferred: number): number {
  const scale = Math.min(
    1,
    stage.width / (cell.width * size.cols),
    stage.height / (cell.height * size.rows),
  );
  return Math.max(SMALLEST_FONT, Math.floor(preferred * scale * 2) / 2);
}
