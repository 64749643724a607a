/** Is the other end still there? */
import { DEAD_AFTER_MS, PING_AFTER_MS } from './limits.ts';

/** Asks after a silence, gives up after a long one. Every message counts as a sign of life. */
export class Pulse {
  private asked = false;

  constructor(private heardAt: number) {}

  heard(now: number): void {
    this.heardAt = now;
    this.asked = false;
  }

  /** When `due` will say something else than nothing. */
  get deadline(): number {
    return this.heardAt + (this.asked ? DEAD_AFTER_MS : PING_AFTER_MS);
  }

  due(now: number): 'nothing' | 'ping' | 'giveUp' {
    if (now >= this.heardAt + DEAD_AFTER_MS) return 'giveUp';
    if (this.asked || now < this.heardAt + PING_AFTER_MS) return 'nothing';
    this.asked = true;
    return 'ping';
  }
}
