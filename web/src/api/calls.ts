/** Every call of the API the pages make. */
import { ApiError, errorOf } from './errors.ts';
import type { Device, Me, ServerInfo } from './types.ts';

const MANAGEMENT = '/api/management';

export const STATUS_FILTERS = ['accepted', 'pending', 'rejected'] as const;
export type StatusFilter = (typeof STATUS_FILTERS)[number];

async function send(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(MANAGEMENT + path, init);
  } catch (cause) {
    if (init?.signal?.aborted) throw cause;
    throw new ApiError(0, 'The server cannot be reached.');
  }
  if (response.ok) return response;
  throw errorOf(response, await response.json().catch(() => undefined));
}

const json = (method: string, body: unknown): RequestInit => ({
  method,
  body: JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' },
});

export async function signIn(email: string, password: string): Promise<void> {
  await send('/v1/longwire/login', json('POST', { email, password }));
}

export async function signOut(): Promise<void> {
  await send('/v1/longwire/logout', { method: 'POST' });
}

export async function me(): Promise<Me> {
  return (await send('/v1/longwire/me')).json();
}

export async function server(): Promise<ServerInfo> {
  return (await send('/v1/longwire/server')).json();
}

export interface DevicePage {
  devices: Device[];
  total: number;
}

export async function devices(
  filter: { status: string; q: string; page: number; perPage: number },
  signal?: AbortSignal,
): Promise<DevicePage> {
  const query = new URLSearchParams({ page: `${filter.page}`, per_page: `${filter.perPage}` });
  if (filter.status) query.set('status', filter.status);
  if (filter.q) query.set('q', filter.q);
  const response = await send(`/v1/longwire/devices?${query}`, { signal });
  return {
    devices: await response.json(),
    total: Number(response.headers.get('X-Total-Count') ?? 0),
  };
}

export async function device(id: string, signal?: AbortSignal): Promise<Device> {
  return (await send(`/v1/longwire/devices/${encodeURIComponent(id)}`, { signal })).json();
}

export type DeviceCounts = Record<StatusFilter, number>;

export async function deviceCounts(): Promise<DeviceCounts> {
  const count = async (status: StatusFilter): Promise<number> =>
    (await (await send(`/v2/devauth/devices/count?status=${status}`)).json()).count;
  const [accepted, pending, rejected] = await Promise.all(STATUS_FILTERS.map(count));
  return { accepted: accepted ?? 0, pending: pending ?? 0, rejected: rejected ?? 0 };
}

/** Accepts or rejects one key of a device. */
export async function decide(
  deviceId: string,
  authSetId: string,
  status: 'accepted' | 'rejected',
): Promise<void> {
  await send(`/v2/devauth/devices/${deviceId}/auth/${authSetId}/status`, json('PUT', { status }));
}

/** Forgets one key of a device without deciding on it; the device may ask again. */
export async function dismiss(deviceId: string, authSetId: string): Promise<void> {
  await send(`/v2/devauth/devices/${deviceId}/auth/${authSetId}`, { method: 'DELETE' });
}

/** Removes a device with all its keys; its connection ends. */
export async function decommission(deviceId: string): Promise<void> {
  await send(`/v2/devauth/devices/${deviceId}`, { method: 'DELETE' });
}

/** Where a terminal's websocket of this page's own server is. */
export function terminalUrl(deviceId: string): string {
  const url = new URL(
    `${MANAGEMENT}/v1/deviceconnect/devices/${encodeURIComponent(deviceId)}/connect`,
    location.href,
  );
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export const EVENTS_URL = `${MANAGEMENT}/v1/longwire/events`;
