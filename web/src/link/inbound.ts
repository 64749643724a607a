/** How far the output of one session has come in. */
export class Inbound {
  /** `position`: the next byte to come. Everything before `confirmed` is acknowledged. */
  private at: number;
  private safe: number;

  constructor(
    offset: number,
    private readonly window: number,
  ) {
    this.at = offset;
    this.safe = offset;
  }

  get position(): number {
    return this.at;
  }

  get confirmed(): number {
    return this.safe;
  }

  /** Takes what is new of a piece; what came before already is dropped. */
  accept(offset: number, bytes: Uint8Array): Uint8Array | 'hole' | 'overWindow' {
    if (offset > this.at) return 'hole';
    if (offset + bytes.length > this.safe + this.window) return 'overWindow';
    const fresh = bytes.subarray(Math.min(this.at - offset, bytes.length));
    this.at += fresh.length;
    return fresh;
  }

  /** Everything before `offset` is safe. True if that is news. */
  confirm(offset: number): boolean {
    const safe = Math.min(offset, this.at);
    if (safe <= this.safe) return false;
    this.safe = safe;
    return true;
  }

  /** The stream continues at `offset`; what lies before will never come. */
  jump(offset: number): void {
    this.at = offset;
    this.safe = offset;
  }
}
