/** How long to wait before the server is dialled again. */

const FIRST_MS = 500;
export const LONGEST_MS = 10_000;

/**
 * The wait after so many failures in a row, from 1 up. Half of it is chance, so that the pages of a
 * restarted server do not come back all at once. `random`: from 0 to below 1.
 */
export function waitMs(failures: number, random: number): number {
  const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return most / 2 + (most / 2) * random;
}
