/**
 * Which bytes of the shell's output have been drawn, and when to say so.
 *
 * The server sends no more than the page's window beyond what is acknowledged, so that a flood waits
 * there, or is shown as a screen, instead of filling this page.
 */
export class RenderedOffset {
  private received = 0;
  private rendered = 0;
  private acknowledged = 0;

  /** `every`: bytes after which an acknowledgement is due though more output is waiting. */
  constructor(private readonly every = 64 * 1024) {}

  /** Output has arrived up to `end`. */
  arrived(end: number): void {
    this.received = end;
  }

  /** The stream goes on at `offset`: what was on its way to the screen counts no more. */
  jump(offset: number): void {
    this.received = offset;
    this.rendered = offset;
    this.acknowledged = offset;
  }

  /** Output up to `offset` is on screen. Returns the offset to acknowledge now, if any. */
  drawn(offset: number): number | undefined {
    this.rendered = Math.max(this.rendered, Math.min(offset, this.received));
    const due = this.rendered - this.acknowledged;
    if (due <= 0 || (due < this.every && this.rendered < this.received)) return undefined;
    this.acknowledged = this.rendered;
    return this.rendered;
  }
}
