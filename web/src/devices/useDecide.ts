import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import * as calls from '../api/calls.ts';
import * as queries from '../api/queries.ts';
import type { AuthSet, Device } from '../api/types.ts';

export interface Decision {
  device: Device;
  key: AuthSet;
  to: 'accepted' | 'rejected' | 'dismissed';
}

const DONE: Record<Decision['to'], string> = {
  accepted: 'is accepted',
  rejected: 'is rejected',
  dismissed: 'has one key less; it may ask again',
};

/** Accepts, rejects or dismisses a key, then shows what has become of it. */
export function useDecide() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ device, key, to }: Decision) =>
      to === 'dismissed' ? calls.dismiss(device.id, key.id) : calls.decide(device.id, key.id, to),
    onSuccess: (_nothing, { device, to }) =>
      notifications.show({ message: `${device.name} ${DONE[to]}.` }),
    onSettled: (_result, _error, { device }) =>
      Promise.all([
        client.invalidateQueries({ queryKey: queries.deviceLists }),
        client.invalidateQueries({ queryKey: queries.deviceCounts.queryKey }),
        client.invalidateQueries({ queryKey: queries.device(device.id).queryKey }),
      ]),
  });
}
