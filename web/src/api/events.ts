/** Live changes: one event stream per page keeps every query's data current. */
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { type DevicePage, EVENTS_URL } from './calls.ts';
import * as queries from './queries.ts';
import type { Device } from './types.ts';

/** Lists and counts are asked again at most this often, however many devices change. */
const REFRESH_MS = 400;

export type LiveState = 'connecting' | 'live' | 'lost';

let state: LiveState = 'connecting';
const watchers = new Set<() => void>();

function setState(next: LiveState): void {
  if (state === next) return;
  state = next;
  for (const watcher of watchers) watcher();
}

/** Puts a device as an event told it into everything that shows it. */
export function applyDevice(client: QueryClient, changed: Device): void {
  client.setQueryData(queries.device(changed.id).queryKey, changed);
  client.setQueriesData<DevicePage>({ queryKey: queries.deviceLists }, (page) => {
    if (!page?.devices.some((device) => device.id === changed.id)) return page;
    return {
      ...page,
      devices: page.devices.map((device) => (device.id === changed.id ? changed : device)),
    };
  });
}

function refreshLists(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: queries.deviceLists });
  void client.invalidateQueries({ queryKey: queries.deviceCounts.queryKey });
}

/** Follows the server's events while mounted. */
export function useLiveEvents(): void {
  const client = useQueryClient();
  useEffect(() => {
    let refresh: ReturnType<typeof setTimeout> | undefined;
    let refreshSessions: ReturnType<typeof setTimeout> | undefined;
    const refreshSoon = () => {
      refresh ??= setTimeout(() => {
        refresh = undefined;
        refreshLists(client);
      }, REFRESH_MS);
    };
    const source = new EventSource(EVENTS_URL);
    source.addEventListener('open', () => {
      setState('live');
    });
    source.addEventListener('error', () => {
      setState('lost');
      // A stream refused because the sign-in is over does not come back: this finds out.
      if (source.readyState === EventSource.CLOSED) {
        void client.invalidateQueries({ queryKey: queries.me.queryKey });
      }
    });
    source.addEventListener('device', (event) => {
      applyDevice(client, JSON.parse(event.data) as Device);
      refreshSoon();
    });
    source.addEventListener('removed', (event) => {
      const { id } = JSON.parse(event.data) as { id: string };
      void client.invalidateQueries({ queryKey: queries.device(id).queryKey });
      refreshSoon();
    });
    for (const type of ['session', 'session_removed']) {
      source.addEventListener(type, () => {
        refreshSessions ??= setTimeout(() => {
          refreshSessions = undefined;
          void client.invalidateQueries({ queryKey: queries.sessionLists });
        }, REFRESH_MS);
      });
    }
    // Said at the start of every stream and whenever the server has skipped something: what happened
    // while nobody listened is unknown, so everything shown is asked again.
    source.addEventListener('resync', () => void client.invalidateQueries());
    return () => {
      clearTimeout(refresh);
      clearTimeout(refreshSessions);
      source.close();
      setState('connecting');
    };
  }, [client]);
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => state,
  );
}
