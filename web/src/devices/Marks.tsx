import type { Device, DeviceStatus } from '../api/types.ts';
import { HowLong, When } from '../layout/When.tsx';
import { lastSeen } from './facts.ts';
import classes from './Marks.module.css';

const LABELS: Record<DeviceStatus, string> = {
  accepted: 'Accepted',
  pending: 'Pending',
  rejected: 'Rejected',
  preauthorized: 'Preauthorized',
  noauth: 'No key',
};

export function StatusMark({ status }: { status: DeviceStatus }) {
  return (
    <span className={classes.status} data-status={status}>
      {LABELS[status]}
    </span>
  );
}

/** Connected or when it last was; `since` adds how long it has been connected. */
export function Presence({ device, since = false }: { device: Device; since?: boolean }) {
  const seen = lastSeen(device);
  if (device.connected) {
    return (
      <span className={classes.presence} data-connected>
        Connected
        {since && device.connected_since && (
          <span className={classes.since}>
            for <HowLong from={device.connected_since} />
          </span>
        )}
      </span>
    );
  }
  return (
    <span className={classes.presence}>
      {seen ? (
        <span>
          Last seen <When at={seen} />
        </span>
      ) : (
        'Not connected'
      )}
    </span>
  );
}
