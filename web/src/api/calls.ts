/** Every call of the API the pages make. */
import createClient from 'openapi-fetch';
import { ApiError, errorOf } from './errors.ts';
import type { paths } from './schema.ts';
import type { Device, Me, ServerInfo, Session } from './types.ts';

const client = createClient<paths>({ baseUrl: '/' });

client.use({
  async onResponse({ response }) {
    if (response.ok) return;
    throw errorOf(response, await response.json().catch(() => undefined));
  },
  onError({ request }) {
    // Given up by the page itself: nobody waits for the answer.
    if (request.signal.aborted) return undefined;
    return new ApiError(0, 'The server cannot be reached.');
  },
});

export const STATUS_FILTERS = ['accepted', 'pending', 'rejected'] as const;
export type StatusFilter = (typeof STATUS_FILTERS)[number];

export async function signIn(email: string, password: string): Promise<void> {
  await client.POST('/api/management/v1/longwire/login', { body: { email, password } });
}

export async function signOut(): Promise<void> {
  await client.POST('/api/management/v1/longwire/logout');
}

export async function me(): Promise<Me> {
  const { data, response } = await client.GET('/api/management/v1/longwire/me');
  return present(data, response);
}

export async function server(): Promise<ServerInfo> {
  const { data, response } = await client.GET('/api/management/v1/longwire/server');
  return present(data, response);
}

export interface DevicePage {
  devices: Device[];
  total: number;
}

export async function devices(
  filter: { status: StatusFilter | ''; q: string; page: number; perPage: number },
  signal?: AbortSignal,
): Promise<DevicePage> {
  const { data, response } = await client.GET('/api/management/v1/longwire/devices', {
    params: {
      query: {
        page: filter.page,
        per_page: filter.perPage,
        ...(filter.status && { status: [filter.status] }),
        ...(filter.q && { q: filter.q }),
      },
    },
    signal,
  });
  return {
    devices: present(data, response),
    total: Number(response.headers.get('X-Total-Count') ?? 0),
  };
}

export async function device(id: string, signal?: AbortSignal): Promise<Device> {
  const { data, response } = await client.GET('/api/management/v1/longwire/devices/{id}', {
    params: { path: { id } },
    signal,
  });
  return present(data, response);
}

export type DeviceCounts = Record<StatusFilter, number>;

export async function deviceCounts(): Promise<DeviceCounts> {
  const count = async (status: StatusFilter): Promise<number> => {
    const { data, response } = await client.GET('/api/management/v2/devauth/devices/count', {
      params: { query: { status } },
    });
    return present(data, response).count;
  };
  const [accepted, pending, rejected] = await Promise.all([
    count('accepted'),
    count('pending'),
    count('rejected'),
  ]);
  return { accepted, pending, rejected };
}

/** Accepts or rejects one key of a device. */
export async function decide(
  deviceId: string,
  authSetId: string,
  status: 'accepted' | 'rejected',
): Promise<void> {
  await client.PUT('/api/management/v2/devauth/devices/{id}/auth/{auth_id}/status', {
    params: { path: { id: deviceId, auth_id: authSetId } },
    body: { status },
  });
}

/** Forgets one key of a device without deciding on it; the device may ask again. */
export async function dismiss(deviceId: string, authSetId: string): Promise<void> {
  await client.DELETE('/api/management/v2/devauth/devices/{id}/auth/{auth_id}', {
    params: { path: { id: deviceId, auth_id: authSetId } },
  });
}

/** Removes a device with all its keys; its connection ends. */
export async function decommission(deviceId: string): Promise<void> {
  await client.DELETE('/api/management/v2/devauth/devices/{id}', {
    params: { path: { id: deviceId } },
  });
}

export interface SessionPage {
  sessions: Session[];
  total: number;
}

/** Sessions that run now, newest first: all one may see, or those on one device. */
export async function sessions(
  filter: { deviceId?: string; page: number; perPage: number },
  signal?: AbortSignal,
): Promise<SessionPage> {
  const { data, response } = await client.GET('/api/management/v1/longwire/sessions', {
    params: {
      query: {
        page: filter.page,
        per_page: filter.perPage,
        ...(filter.deviceId && { device_id: [filter.deviceId] }),
      },
    },
    signal,
  });
  return {
    sessions: present(data, response),
    total: Number(response.headers.get('X-Total-Count') ?? 0),
  };
}

/** Ends a session for good, whoever is in it. */
export async function endSession(id: string): Promise<void> {
  await client.DELETE('/api/management/v1/longwire/sessions/{id}', { params: { path: { id } } });
}

/** Where a terminal's websocket of this page's own server is. */
export function terminalUrl(deviceId: string): string {
  const url = new URL(
    `/api/management/v1/deviceconnect/devices/${encodeURIComponent(deviceId)}/connect`,
    location.href,
  );
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export const EVENTS_URL = '/api/management/v1/longwire/events';

/** The body of an answer that has one by its description. */
function present<T>(data: T | undefined, response: Response): T {
  if (data === undefined) throw errorOf(response, undefined);
  return data;
}
