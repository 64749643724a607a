/** Every question the pages ask, by key, so that live events know what to refresh. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import * as calls from './calls.ts';

export const PAGE_SIZE = 50;

export const me = queryOptions({
  queryKey: ['me'],
  queryFn: calls.me,
  staleTime: 5 * 60_000,
});

export const server = queryOptions({
  queryKey: ['server'],
  queryFn: calls.server,
  staleTime: Number.POSITIVE_INFINITY,
});

export interface DeviceFilter {
  /** Empty for all. */
  status: calls.StatusFilter | '';
  q: string;
  /** From 1. */
  page: number;
}

export const deviceLists = ['devices'] as const;

export const deviceList = (filter: DeviceFilter) =>
  queryOptions({
    queryKey: [...deviceLists, filter],
    queryFn: ({ signal }) => calls.devices({ ...filter, perPage: PAGE_SIZE }, signal),
    placeholderData: keepPreviousData,
  });

export const deviceCounts = queryOptions({
  queryKey: ['device-counts'],
  queryFn: calls.deviceCounts,
});

export const device = (id: string) =>
  queryOptions({ queryKey: ['device', id], queryFn: ({ signal }) => calls.device(id, signal) });

/** Every list of sessions, of whatever device. */
export const sessionLists = ['sessions'] as const;

export const sessions = (page: number) =>
  queryOptions({
    queryKey: [...sessionLists, 'all', page],
    queryFn: ({ signal }) => calls.sessions({ page, perPage: PAGE_SIZE }, signal),
    placeholderData: keepPreviousData,
  });

/** More than this one device does not hold. */
const ON_DEVICE = 100;

export const deviceSessions = (deviceId: string) =>
  queryOptions({
    queryKey: [...sessionLists, 'device', deviceId],
    queryFn: ({ signal }) => calls.sessions({ deviceId, page: 1, perPage: ON_DEVICE }, signal),
  });
