import type { Device } from '../src/api/types.ts';

/** A device as the API tells it, with what a test cares about changed. */
export function device(changed: Partial<Device> = {}): Device {
  return {
    id: 'a',
    name: 'pump-17',
    status: 'accepted',
    connected: false,
    fingerprint: 'SHA256:abc',
    identity: { mac: '0e:fa:12:00:00:01' },
    attributes: [],
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    auth_sets: [],
    ...changed,
  };
}
