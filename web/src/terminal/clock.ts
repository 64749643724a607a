/**
 * Milliseconds on a clock that never steps back and goes on while the machine sleeps: browsers stop
 * `performance.now` then, and people set `Date.now`.
 */
export class SteadyClock {
  private at = 0;
  private steady: number;
  private wall: number;

  constructor(
    private readonly steadyNow: () => number = () => performance.now(),
    private readonly wallNow: () => number = () => Date.now(),
  ) {
    this.steady = steadyNow();
    this.wall = wallNow();
  }

  readonly now = (): number => {
    const steady = this.steadyNow();
    const wall = this.wallNow();
    this.at += Math.max(0, steady - this.steady, wall - this.wall);
    this.steady = steady;
    this.wall = wall;
    return this.at;
  };
}
