/**
 * What was typed or pasted and does not fit into the link yet: before the shell has started, and
 * behind a paste that the shell is slow to take.
 */
export const TYPING_MAX = 8 * 1024 * 1024;

export class Typing {
  private parts: Uint8Array[] = [];
  private kept = 0;

  get length(): number {
    return this.kept;
  }

  /** False if it is too much; nothing is taken then. */
  push(bytes: Uint8Array): boolean {
    if (this.kept + bytes.length > TYPING_MAX) return false;
    this.parts.push(bytes);
    this.kept += bytes.length;
    return true;
  }

  /** Takes up to `room` bytes from the front, as they were typed if they fit. */
  take(room: number): Uint8Array | undefined {
    const [first] = this.parts;
    if (!first || room <= 0) return undefined;
    const now = first.subarray(0, room);
    if (now.length === first.length) this.parts.shift();
    else this.parts[0] = first.subarray(room);
    this.kept -= now.length;
    return now;
  }

  /** Forgets what waits; returns how much it was. */
  discard(): number {
    const { kept } = this;
    this.parts = [];
    this.kept = 0;
    return kept;
  }
}
