import { useQuery } from '@tanstack/react-query';
import * as queries from '../api/queries.ts';

/** Permissions the pages ask about, by their names in the API. */
export type Permission = 'device.accept' | 'device.connect';

/** Whether the person signed in may do this; the server decides anew at every call. */
export function useCan(permission: Permission): boolean {
  const { data } = useQuery(queries.me);
  return data?.permissions.includes(permission) ?? false;
}
