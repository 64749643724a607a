import { ActionIcon, Button, Skeleton, Tooltip } from '@mantine/core';
import { ShieldAlert, SquareTerminal } from 'lucide-react';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import type { AuthSet, Device } from '../api/types.ts';
import { useCan } from '../auth/useCan.ts';
import { AcceptDialog } from './AcceptDialog.tsx';
import classes from './DeviceTable.module.css';
import { Fingerprint } from './Fingerprint.tsx';
import { systemLine, waitingKey } from './facts.ts';
import { Presence, StatusMark } from './Marks.tsx';

export function DeviceTable({ devices, stale }: { devices: Device[]; stale: boolean }) {
  const [deciding, setDeciding] = useState<{ device: Device; authSet: AuthSet }>();
  return (
    <>
      <table className={classes.table} data-stale={stale || undefined}>
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Connection</th>
            <th scope="col" className={classes.system}>
              System
            </th>
            <th scope="col">Status</th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {devices.map((device) => (
            <Row
              key={device.id}
              device={device}
              onReview={(authSet) => setDeciding({ device, authSet })}
            />
          ))}
        </tbody>
      </table>
      {deciding && <AcceptDialog {...deciding} onClose={() => setDeciding(undefined)} />}
    </>
  );
}

function Row({ device, onReview }: { device: Device; onReview: (authSet: AuthSet) => void }) {
  const navigate = useNavigate();
  const waiting = waitingKey(device);
  const mayDecide = useCan('device.accept');
  return (
    <tr
      className={classes.row}
      onClick={(event) => {
        // The name is the link for keyboards; for a pointer the whole row is a target.
        const { target } = event;
        const onControl = target instanceof Element && target.closest('a, button, [role="dialog"]');
        if (!onControl && !window.getSelection()?.toString())
          void navigate(`/devices/${device.id}`);
      }}
    >
      <td className={classes.nameCell}>
        <Link to={`/devices/${device.id}`} className={classes.name}>
          {device.name}
        </Link>
        <span className={`${classes.id} mono`}>{device.id.slice(0, 8)}</span>
        {waiting && (
          <div className={classes.key}>
            {waiting.replaces_key && (
              <span className={classes.replaces}>
                <ShieldAlert size={14} aria-hidden /> New key for a known device
              </span>
            )}
            <Fingerprint value={waiting.fingerprint} />
          </div>
        )}
      </td>
      <td className={classes.presence}>
        <Presence device={device} />
      </td>
      <td className={classes.system}>{systemLine(device)}</td>
      <td className={classes.status}>
        <StatusMark status={device.status} />
      </td>
      <td className={classes.actions}>
        {waiting && mayDecide ? (
          <Button
            size="compact-sm"
            color={waiting.replaces_key ? 'danger' : undefined}
            aria-label={`Review ${device.name}`}
            onClick={() => onReview(waiting)}
          >
            Review
          </Button>
        ) : (
          device.status === 'accepted' && <OpenTerminal device={device} />
        )}
      </td>
    </tr>
  );
}

function OpenTerminal({ device }: { device: Device }) {
  const label = device.connected ? `Connect terminal to ${device.name}` : 'Not connected';
  return (
    <Tooltip label={device.connected ? 'Connect terminal' : label}>
      {device.connected ? (
        <ActionIcon component={Link} to={`/devices/${device.id}/terminal`} aria-label={label}>
          <SquareTerminal size={18} aria-hidden />
        </ActionIcon>
      ) : (
        <ActionIcon disabled aria-label={`${device.name} is not connected`} className={classes.off}>
          <SquareTerminal size={18} aria-hidden />
        </ActionIcon>
      )}
    </Tooltip>
  );
}

const SKELETON_ROWS = ['a', 'b', 'c', 'd', 'e', 'f'];

export function DeviceTableSkeleton() {
  return (
    <div className={classes.skeleton} role="status" aria-label="Loading devices">
      {SKELETON_ROWS.map((row) => (
        <div key={row}>
          <Skeleton h={14} w="22%" />
          <Skeleton h={14} w="16%" />
          <Skeleton h={14} w="24%" />
          <Skeleton h={14} w="8%" />
        </div>
      ))}
    </div>
  );
}
