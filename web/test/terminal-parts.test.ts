import { describe, expect, test } from 'vitest';
import type { Me, Session } from '../src/api/types.ts';
import { initials } from '../src/sessions/Face.tsx';
import { actsFor, sessionPath } from '../src/sessions/facts.ts';
import { LONGEST_MS, waitMs } from '../src/terminal/backoff.ts';
import { SteadyClock } from '../src/terminal/clock.ts';
import { fontFor, SMALLEST_FONT, sizeFor } from '../src/terminal/fit.ts';
import { freshSid, isFresh, noLongerFresh } from '../src/terminal/sid.ts';

test('waits grow to ten seconds at most, half of each by chance', () => {
  expect([1, 2, 3].map((failures) => waitMs(failures, 0))).toEqual([500, 1000, 2000]);
  expect(waitMs(50, 0.999)).toBeLessThanOrEqual(LONGEST_MS);
  expect(waitMs(50, 0)).toBe(LONGEST_MS / 2);
});

test('the clock goes on in sleep and never back', () => {
  let steady = 0;
  let wall = 1_000_000;
  const clock = new SteadyClock(
    () => steady,
    () => wall,
  );
  steady += 5;
  wall += 5;
  expect(clock.now()).toBe(5);
  wall += 60_000;
  expect(clock.now()).toBe(60_005);
  wall -= 3_600_000;
  expect(clock.now()).toBe(60_005);
  steady += 10;
  wall += 10;
  expect(clock.now()).toBe(60_015);
});

describe('fit', () => {
  const cell = { width: 8, height: 17 };
  test('whole cells only', () => {
    expect(sizeFor({ width: 647, height: 407 }, cell)).toEqual({ cols: 80, rows: 23 });
  });
  test('a larger terminal is drawn smaller until it cannot be read', () => {
    const stage = { width: 640, height: 400 };
    expect(fontFor(stage, cell, { cols: 40, rows: 10 }, 14)).toBe(14);
    expect(fontFor(stage, cell, { cols: 160, rows: 10 }, 14)).toBe(7);
    expect(fontFor(stage, cell, { cols: 1000, rows: 10 }, 14)).toBe(SMALLEST_FONT);
  });
});

test('session ids are UUIDs that nobody else has', () => {
  const sid = freshSid();
  expect(sid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(isFresh(sid)).toBe(true);
  expect(freshSid()).not.toBe(sid);
  noLongerFresh(sid);
  expect(isFresh(sid)).toBe(false);
});

test('a person is two letters', () => {
  expect(['anna.keller@example.org', 'bo@example.org', '@'].map(initials)).toEqual([
    'AK',
    'BO',
    '?',
  ]);
});

describe('what is offered for a session', () => {
  const me = (...permissions: Me['permissions']): Me => ({
    id: '1',
    email: 'anna@example.org',
    roles: [],
    permissions,
  });
  const session = (changed: Partial<Session> = {}): Session => ({
    id: 'S',
    device_id: 'D',
    device_name: 'pump-17',
    owner: { id: '1', email: 'anna@example.org' },
    state: 'detached',
    started_at: '2026-01-01T00:00:00Z',
    device_connected: true,
    lossless: true,
    epoch: 1,
    viewers: [],
    ...changed,
  });
  const viewer = { email: 'x@example.org', control: true, since: '2026-01-01T00:00:00Z' };
  const theirs = { id: '2', email: 'bo@example.org' };

  test('one’s own is resumed, or taken over from another window', () => {
    expect(actsFor(session(), me('device.connect'))).toEqual(['resume', 'end']);
    expect(
      actsFor(session({ state: 'attached', viewers: [viewer] }), me('device.connect')),
    ).toEqual(['takeOver', 'watch', 'end']);
  });
  test('another’s as far as one’s rights go', () => {
    const attached = session({ owner: theirs, state: 'attached', viewers: [viewer] });
    expect(actsFor(attached, me('device.connect'))).toEqual([]);
    expect(actsFor(attached, me('session.watch'))).toEqual(['watch']);
    expect(actsFor(attached, me('session.control', 'session.end'))).toEqual(['takeOver', 'end']);
  });
  test('nothing for one that is about to end', () => {
    expect(actsFor(session({ state: 'ending' }), me('device.connect'))).toEqual([]);
  });
  test('addresses are good for a reload', () => {
    expect(sessionPath(session(), 'resume')).toBe('/devices/D/terminal/S');
    expect(sessionPath(session(), 'watch')).toBe('/devices/D/terminal/S?watch');
  });
});
