import { expect, test } from 'vitest';
import { RenderedOffset } from '../src/terminal/flow.ts';

test('a single piece is acknowledged as soon as it is drawn', () => {
  const flow = new RenderedOffset();
  const upTo = flow.arrived(10, undefined);
  expect(flow.waiting).toBe(10);
  expect(flow.drawn(upTo)).toBe(10);
  expect(flow.waiting).toBe(0);
});

test('in a flood one acknowledgement stands for many pieces', () => {
  const flow = new RenderedOffset(1000);
  const ends = Array.from({ length: 10 }, (_, at) => flow.arrived(300, at * 300));
  const acknowledged = ends.map((end) => flow.drawn(end)).filter((offset) => offset !== undefined);
  expect(acknowledged).toEqual([1200, 2400, 3000]);
});

test('everything drawn is acknowledged in the end, whatever the sizes', () => {
  const flow = new RenderedOffset(64);
  let last = 0;
  let total = 0;
  const waiting: number[] = [];
  for (let size = 1; size < 200; size += 7) {
    total += size;
    waiting.push(flow.arrived(size, undefined));
    if (size % 3 === 0) for (const end of waiting.splice(0)) last = flow.drawn(end) ?? last;
  }
  for (const end of waiting) last = flow.drawn(end) ?? last;
  expect(last).toBe(total);
});

test('offsets are the server’s when it tells them', () => {
  const flow = new RenderedOffset();
  expect(flow.drawn(flow.arrived(5, 1000))).toBe(1005);
});

test('nothing is acknowledged twice', () => {
  const flow = new RenderedOffset();
  const upTo = flow.arrived(5, 0);
  expect(flow.drawn(upTo)).toBe(5);
  expect(flow.drawn(upTo)).toBeUndefined();
});
