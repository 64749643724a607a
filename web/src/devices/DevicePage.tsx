import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ChevronRight, ShieldAlert, ShieldQuestion } from 'lucide-react';
import { useState } from 'react';
import { Link, NavLink, Outlet, useOutletContext, useParams } from 'react-router';
import { isStatus } from '../api/errors.ts';
import * as queries from '../api/queries.ts';
import type { Device } from '../api/types.ts';
import { useCan } from '../auth/useCan.ts';
import { NotFound, Trouble } from '../layout/Trouble.tsx';
import { usePageTitle } from '../layout/usePageTitle.ts';
import { AcceptDialog } from './AcceptDialog.tsx';
import classes from './DevicePage.module.css';
import { waitingKey } from './facts.ts';
import { Presence, StatusMark } from './Marks.tsx';

const TABS = [
  { to: 'identity', label: 'Identity' },
  { to: 'inventory', label: 'Inventory' },
  { to: 'troubleshooting', label: 'Troubleshooting' },
] as const;

export function Component() {
  const { id = '' } = useParams();
  const query = useQuery(queries.device(id));
  const device = query.data;
  usePageTitle(device?.name ?? 'Device');

  if (isStatus(query.error, 404)) {
    return (
      <NotFound what="No such device" detail="It has been removed, or it is not one you may see." />
    );
  }
  if (query.error && !device) {
    return <Trouble error={query.error} onRetry={() => void query.refetch()} />;
  }
  return (
    <>
      <nav className={classes.crumbs} aria-label="Breadcrumb">
        <Link to="/devices">Devices</Link>
        <ChevronRight size={14} aria-hidden />
        <span aria-current="page">{device?.name ?? '…'}</span>
      </nav>
      <div className={classes.head}>
        {device ? (
          <>
            <h1>{device.name}</h1>
            <div className={classes.marks}>
              <Presence device={device} since />
              <StatusMark status={device.status} />
            </div>
          </>
        ) : (
          <Skeleton h={32} w={260} />
        )}
      </div>
      {device && <KeyWaiting device={device} />}
      <nav className={classes.tabs} aria-label="Device">
        {TABS.map((tab) => (
          <NavLink key={tab.to} to={tab.to} className={classes.tab}>
            {tab.label}
          </NavLink>
        ))}
      </nav>
      {device ? <Outlet context={device} /> : <Skeleton h={220} radius="lg" />}
    </>
  );
}

/** The device whose page a tab belongs to. */
export function useDevice(): Device {
  return useOutletContext<Device>();
}

function KeyWaiting({ device }: { device: Device }) {
  const [open, setOpen] = useState(false);
  const waiting = waitingKey(device);
  const mayDecide = useCan('device.accept');
  if (!waiting) return null;
  const loud = waiting.replaces_key;
  return (
    <div className={classes.waiting} data-loud={loud || undefined} role={loud ? 'alert' : 'status'}>
      {loud ? <ShieldAlert size={20} aria-hidden /> : <ShieldQuestion size={20} aria-hidden />}
      <div>
        <strong>
          {loud
            ? 'Somebody asks to use this device’s identity with a new key'
            : 'This device waits to be accepted'}
        </strong>
        <span className={classes.waitingHint}>
          {loud
            ? 'Do not accept it unless you know why the key has changed.'
            : mayDecide
              ? 'Compare its fingerprint, then decide.'
              : 'An administrator has to accept it.'}
        </span>
      </div>
      {mayDecide && (
        <Button color={loud ? 'danger' : undefined} onClick={() => setOpen(true)}>
          Review
        </Button>
      )}
      {open && <AcceptDialog device={device} authSet={waiting} onClose={() => setOpen(false)} />}
    </div>
  );
}
