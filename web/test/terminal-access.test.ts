import { expect, test } from 'vitest';
import type { Me } from '../src/api/types.ts';
import { whyNot } from '../src/devices/TroubleshootingTab.tsx';
import { device } from './devices.ts';

const me: Me = {
  id: '1',
  email: 'a@example.org',
  roles: ['admin'],
  permissions: ['device.connect'],
};

test('a connected, accepted device can be opened', () => {
  expect(whyNot(device({ connected: true }), me)).toBeUndefined();
});

test('every obstacle is named, the person’s own first', () => {
  expect(whyNot(device({ connected: true }), { ...me, permissions: [] })).toMatch(/Your role/);
  expect(whyNot(device({ status: 'pending' }), me)).toMatch(/accepted first/);
  expect(whyNot(device({ connected: false }), me)).toMatch(/not connected/);
});
