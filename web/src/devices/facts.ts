/** What the pages say about a device, from what the API tells. */
import type { AuthSet, Device } from '../api/types.ts';

/** A key somebody has to decide on, if there is one. */
export function waitingKey(device: Device): AuthSet | undefined {
  return device.auth_sets.find((set) => set.status === 'pending');
}

/** The key the device is known by today. */
export function acceptedKey(device: Device): AuthSet | undefined {
  return device.auth_sets.find((set) => set.status === 'accepted');
}

/** When the device was last known to be there: an RFC 3339 time. */
export function lastSeen(device: Device): string | undefined {
  const times = [device.link_changed_at, device.checked_in_at].filter((time) => !!time) as string[];
  return times.toSorted((a, b) => Date.parse(a) - Date.parse(b)).at(-1);
}

export function attribute(device: Device, name: string): string | undefined {
  const found = device.attributes.find((candidate) => candidate.name === name);
  return found === undefined ? undefined : valueText(found.value);
}

/** "Debian GNU/Linux 12 · x86_64", as far as the device has told. */
export function systemLine(device: Device): string {
  const parts = [
    // Code names are for the inventory; here the number says the same.
    (attribute(device, 'os') ?? attribute(device, 'device_type'))?.replace(/ \([^()]*\)$/, ''),
    attribute(device, 'arch') ?? attribute(device, 'kernel_arch'),
  ];
  return parts.filter(Boolean).join(' · ');
}

/** An attribute's value as text; lists are joined. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(', ');
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return value === null || value === undefined ? '' : String(value);
}

/** "SHA256:" apart from the digest in groups of four, so that two people can compare it aloud. */
export function fingerprintGroups(fingerprint: string): { algorithm: string; groups: string[] } {
  const colon = fingerprint.indexOf(':');
  const digest = fingerprint.slice(colon + 1);
  return {
    algorithm: colon < 0 ? '' : fingerprint.slice(0, colon),
    groups: digest.match(/.{1,4}/g) ?? [],
  };
}
