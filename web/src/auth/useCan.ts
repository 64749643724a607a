import { useQuery } from '@tanstack/react-query';
import * as queries from '../api/queries.ts';
import type { Permission } from '../api/types.ts';

/** Whether the person signed in may do this; the server decides anew at every call. */
export function useCan(permission: Permission): boolean {
  const { data } = useQuery(queries.me);
  return data?.permissions.includes(permission) ?? false;
}
