import { expect, test } from 'vitest';
import { RenderedOffset } from '../src/terminal/flow.ts';

test('a single piece is acknowledged as soon as it is drawn, and once', () => {
  const flow = new RenderedOffset();
  flow.arrived(10);
  expect(flow.drawn(10)).toBe(10);
  expect(flow.drawn(10)).toBeUndefined();
});

test('in a flood one acknowledgement stands for many pieces', () => {
  const flow = new RenderedOffset(1000);
  const ends = Array.from({ length: 10 }, (_, at) => (at + 1) * 300);
  for (const end of ends) flow.arrived(end);
  const acknowledged = ends.map((end) => flow.drawn(end)).filter((offset) => offset !== undefined);
  expect(acknowledged).toEqual([1200, 2400, 3000]);
});

test('a screen begins anew, also further back', () => {
  const flow = new RenderedOffset();
  flow.arrived(5000);
  flow.jump(900);
  expect(flow.drawn(900)).toBeUndefined();
  flow.arrived(905);
  expect(flow.drawn(905)).toBe(905);
});
