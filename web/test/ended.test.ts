import { expect, test } from 'vitest';
import { END_REASONS } from '../src/protocol/shell.ts';
import { describe as say } from '../src/terminal/ended.ts';

const refused = (text: string) => say({ kind: 'refused', text, detached: [] });
const ended = (reason: (typeof END_REASONS)[number] | undefined, exitStatus?: number, text = '') =>
  say({ kind: 'ended', byMe: false, reason, exitStatus, text });

test('an exit tells its status', () => {
  expect(ended('exited', 0)).toEqual({ tone: 'done', title: 'Shell exited with status 0' });
  expect(ended('exited', 3)).toEqual({ tone: 'cut', title: 'Shell exited with status 3' });
});

test('a plain agent’s read error is the shell’s exit', () => {
  expect(ended(undefined, undefined, 'read /dev/ptmx: input/output error').title).toBe(
    'Shell exited',
  );
});

test('another text of a plain agent is shown as it is', () => {
  expect(ended(undefined, undefined, 'session byte limit exceeded')).toEqual({
    tone: 'done',
    title: 'Session ended',
    detail: 'Session byte limit exceeded',
  });
});

test.each(END_REASONS)('%s has words of its own', (reason) => {
  const notice = ended(reason, reason === 'exited' ? 0 : undefined);
  expect(notice.title).not.toBe('');
  const others = END_REASONS.filter((other) => other !== reason).map(
    (other) => ended(other, 0).title,
  );
  expect(others).not.toContain(notice.title);
});

test('a right that was taken away during a session is no refusal to start one', () => {
  expect(ended('refused', undefined, 'the device is no longer accepted')).toEqual({
    tone: 'cut',
    title: 'Access to this session was withdrawn',
    detail: 'The device is no longer accepted',
  });
});

test('the texts real agents refuse with are explained', () => {
  const busy = refused('user has too many open sessions');
  expect(busy.title).toBe('You already have a terminal open on this device');
  expect(refused('too many shells spawned').title).toMatch(/Too many shells/);
  expect(refused('failed to start shell: no such file').detail).toBe(
    'Failed to start shell: no such file',
  );
});

test('an end that was wished for is no trouble', () => {
  const stop = { reason: 'stopped', exitStatus: undefined, text: 'ended by an operator' } as const;
  expect(say({ kind: 'ended', byMe: true, ...stop })).toEqual({
    tone: 'done',
    title: 'You ended this session',
  });
  expect(say({ kind: 'ended', byMe: false, ...stop }).title).toBe('Session was ended');
  expect(say({ kind: 'endsLater' }).detail).toMatch(/as soon as the device is back/);
});

test('being sent away prefers the server’s own words', () => {
  expect(say({ kind: 'linkLost', text: 'not allowed any more' }).detail).toBe(
    'Not allowed any more',
  );
});
