/**
 * Which bytes of the shell's output have been drawn, and when to say so.
 *
 * The server holds back what is more than its window ahead of the last acknowledgement, so a
 * flood waits at the device instead of filling this page.
 */
export class RenderedOffset {
  private received = 0;
  private rendered = 0;
  private acknowledged = 0;

  /** `every`: bytes after which an acknowledgement is due though more output is waiting. */
  constructor(private readonly every = 64 * 1024) {}

  /**
   * Takes note of a piece of output; returns the offset to pass to `drawn` once it is on screen.
   * `offset` is the position of its first byte as the server counts, if it says so.
   */
  arrived(length: number, offset: number | undefined): number {
    this.received = (offset ?? this.received) + length;
    return this.received;
  }

  /** Output up to `offset` is on screen. Returns the offset to acknowledge now, if any. */
  drawn(offset: number): number | undefined {
    this.rendered = Math.max(this.rendered, offset);
    const due = this.rendered - this.acknowledged;
    if (due <= 0 || (due < this.every && this.rendered < this.received)) return undefined;
    this.acknowledged = this.rendered;
    return this.rendered;
  }

  /** Bytes that have arrived but are not drawn yet. */
  get waiting(): number {
    return this.received - this.rendered;
  }
}
