import { expect, test } from 'vitest';
import { END_REASONS } from '../src/protocol/shell.ts';
import { describe as say } from '../src/terminal/ended.ts';

const ended = (reason: (typeof END_REASONS)[number] | undefined, exitStatus?: number, text = '') =>
  say({ kind: 'ended', reason, exitStatus, text });

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
  const busy = say({ kind: 'refused', text: 'user has too many open sessions' });
  expect(busy.title).toBe('You already have a terminal open on this device');
  expect(say({ kind: 'refused', text: 'too many shells spawned' }).title).toMatch(
    /Too many shells/,
  );
  expect(say({ kind: 'refused', text: 'failed to start shell: no such file' }).detail).toBe(
    'Failed to start shell: no such file',
  );
});

test('a lost link prefers the server’s own words', () => {
  expect(say({ kind: 'linkLost', code: 1013, text: 'server restarts' }).detail).toBe(
    'server restarts',
  );
  expect(say({ kind: 'linkLost', code: 1006, text: '' }).detail).toMatch(/link broke/);
});
