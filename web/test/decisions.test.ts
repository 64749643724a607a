import { expect, test } from 'vitest';
import { returnPath, signInPath } from '../src/auth/returnPath.ts';
import { agentCommand, needsInsecureHttp } from '../src/devices/enrolCommands.ts';
import { fingerprintGroups, systemLine, valueText } from '../src/devices/facts.ts';
import { durationText, relativeText } from '../src/layout/When.tsx';
import { parsePreferences } from '../src/terminal/preferences.ts';
import { device } from './devices.ts';

test('signing in leads back to where one came from', () => {
  expect(returnPath(new URL(signInPath('/devices/1/identity?x=1'), 'http://h').search)).toBe(
    '/devices/1/identity?x=1',
  );
});

test.each([
  'https://evil.example/',
  '//evil.example/',
  '/\\evil.example',
  'javascript:x',
  '/sign-in',
  '',
])('signing in never leads to %s', (next) => {
  expect(returnPath(`?next=${encodeURIComponent(next)}`)).toBe('/devices');
});

test.each([
  ['http://127.0.0.1:8080', false],
  ['http://[::1]:8080', false],
  ['http://localhost', false],
  ['https://fleet.example', false],
  ['http://fleet.example', true],
  ['http://127.0.0.1.example', true],
])('plain http to %s needs a word: %s', (url, needed) => {
  expect(needsInsecureHttp(url)).toBe(needed);
  expect(agentCommand(url).includes('--insecure-http')).toBe(needed);
});

test('a fingerprint is cut into groups and nothing is lost', () => {
  const digest = 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg';
  const { algorithm, groups } = fingerprintGroups(`SHA256:${digest}`);
  expect(algorithm).toBe('SHA256');
  expect(groups.join('')).toBe(digest);
  expect(Math.max(...groups.map((group) => group.length))).toBe(4);
});

test('a system is told in one short line, as far as it is known', () => {
  const told = (attributes: Record<string, string>) =>
    systemLine(
      device({
        attributes: Object.entries(attributes).map(([name, value]) => ({
          name,
          value,
          scope: 'inventory',
        })),
      }),
    );
  expect(told({ os: 'Debian GNU/Linux 12 (bookworm)', arch: 'x86_64' })).toBe(
    'Debian GNU/Linux 12 · x86_64',
  );
  expect(told({ device_type: 'raspberrypi4' })).toBe('raspberrypi4');
  expect(told({})).toBe('');
});

test('attribute values are shown as text', () => {
  expect(valueText(['aa:bb', 'cc:dd'])).toBe('aa:bb, cc:dd');
  expect(valueText(0)).toBe('0');
  expect(valueText(false)).toBe('false');
  expect(valueText(null)).toBe('');
});

test('times are told as people tell them', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  const before = (seconds: number) => relativeText(now - seconds * 1000, now);
  expect(before(3)).toBe('just now');
  expect(before(-3)).toBe('just now');
  expect(before(40)).toBe('40 seconds ago');
  expect(before(180)).toBe('3 minutes ago');
  expect(before(7200)).toBe('2 hours ago');
  expect(before(86_400)).toBe('yesterday');
  expect(durationText(now - 60_000, now)).toBe('1 minute');
  expect(durationText(now - 500_000, now)).toBe('8 minutes');
  expect(durationText(now + 5_000, now)).toBe('0 seconds');
});

test('stored preferences are believed only as far as they make sense', () => {
  const fallback = { fontSize: 14, screenReader: false };
  expect(parsePreferences('{"fontSize":18,"screenReader":true}', fallback)).toEqual({
    fontSize: 18,
    screenReader: true,
  });
  for (const odd of [undefined, '', 'null', '7', '{"fontSize":"9"}', '{"fontSize":4000}', '{']) {
    expect(parsePreferences(odd, fallback)).toEqual(fallback);
  }
});
