/** Bytes typed and not known to be applied, with their offsets and times. */
import { MAX_BODY, MAX_STAMPS, STAMP_GRAIN_MS } from './limits.ts';

export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Small pushes are put together up to this size, so that a long line is not a thousand pieces. */
const CHUNK = 4096;

/**
 * `start ≤ sent ≤ end`: before `start` everything is acknowledged or lost, up to `sent` it is under
 * way, up to `end` it waits.
 */
export class Outbound {
  private chunks: Uint8Array[] = [];
  private first: number;
  private underWay: number;
  private kept = 0;
  /** From which offset on which time holds, in order of both. */
  private stamps: [offset: number, ms: number][] = [];

  constructor(offset = 0) {
    this.first = offset;
    this.underWay = offset;
  }

  get start(): number {
    return this.first;
  }

  get sent(): number {
    return this.underWay;
  }

  get end(): number {
    return this.first + this.kept;
  }

  get length(): number {
    return this.kept;
  }

  /** The time of the oldest byte kept. */
  get oldestMs(): number | undefined {
    return this.kept > 0 ? this.stamps[0]?.[1] : undefined;
  }

  push(bytes: Uint8Array, ms: number): void {
    if (bytes.length === 0) return;
    const { end } = this;
    // What is sent at once keeps its exact time; what waits shall fill messages.
    const grain = this.underWay < end ? STAMP_GRAIN_MS : 1;
    const last = this.stamps.at(-1)?.[1];
    if (this.kept === 0 || last === undefined || ms >= last + grain) {
      if (this.stamps.length >= MAX_STAMPS) {
        this.stamps = this.stamps.filter((_stamp, index) => index % 2 === 0);
      }
      this.stamps.push([end, ms]);
    }
    const tail = this.chunks.at(-1);
    if (tail && tail.length + bytes.length <= CHUNK) {
      const joined = new Uint8Array(tail.length + bytes.length);
      joined.set(tail);
      joined.set(bytes, tail.length);
      this.chunks[this.chunks.length - 1] = joined;
    } else {
      this.chunks.push(bytes.slice());
    }
    this.kept += bytes.length;
  }

  /** The next piece, never beyond the offset `before`. */
  next(before: number): Piece | undefined {
    const stamp = this.stamps.find(([offset]) => offset > this.underWay)?.[0] ?? before;
    const stop = Math.min(before, stamp, this.end, this.underWay + MAX_BODY);
    if (stop <= this.underWay) return undefined;
    const piece = { offset: this.underWay, bytes: this.copy(this.underWay, stop) };
    this.underWay = stop;
    return piece;
  }

  /**
   * A new link, whose other end has everything before `have`: sends again from there, or from the
   * first byte that is still kept. A peer that has more than there is, is right. Returns where the
   * stream continues.
   */
  resume(have: number): number {
    if (have > this.end) this.jump(have);
    else this.underWay = Math.max(have, this.first);
    return this.underWay;
  }

  /** Everything before `offset` is done with, sent or not. */
  advance(offset: number): void {
    if (offset >= this.end) {
      this.jump(offset);
      return;
    }
    this.underWay = Math.max(this.underWay, offset);
    let gone = offset - this.first;
    if (gone <= 0) return;
    this.first = offset;
    this.kept -= gone;
    for (let chunk = this.chunks[0]; chunk && gone > 0; chunk = this.chunks[0]) {
      if (chunk.length <= gone) {
        this.chunks.shift();
        gone -= chunk.length;
      } else {
        this.chunks[0] = chunk.subarray(gone);
        gone = 0;
      }
    }
    // The stamp that covers the first byte stays.
    while (this.stamps[1] && this.stamps[1][0] <= this.first) this.stamps.shift();
  }

  private jump(offset: number): void {
    this.chunks = [];
    this.stamps = [];
    this.kept = 0;
    this.first = offset;
    this.underWay = offset;
  }

  private copy(from: number, to: number): Uint8Array {
    const out = new Uint8Array(to - from);
    let at = this.first;
    for (const chunk of this.chunks) {
      const begin = Math.max(from, at);
      const end = Math.min(to, at + chunk.length);
      if (begin < end) out.set(chunk.subarray(begin - at, end - at), begin - from);
      at += chunk.length;
      if (at >= to) break;
    }
    return out;
  }
}
