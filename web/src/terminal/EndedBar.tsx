import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { CircleCheck, CircleX, Unplug } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { Link } from 'react-router';
import * as queries from '../api/queries.ts';
import type { Device } from '../api/types.ts';
import { describe, type End, type EndNotice } from './ended.ts';
import classes from './Terminal.module.css';

const ICONS = { done: CircleCheck, cut: Unplug, failed: CircleX };

/** Says why the session is over and what can be done next. */
export function EndedBar(props: {
  deviceId: string;
  device: Device | undefined;
  end: End;
  onAgain: () => void;
}) {
  const { deviceId, device, end } = props;
  // Browsers hide why a websocket was refused; the device itself often tells.
  const fresh = useQuery({ ...queries.device(deviceId), enabled: end.kind === 'notConnected' });
  const offline = device?.connected === false;
  const notice = explain(end, offline, fresh.error?.message);
  const Icon = ICONS[notice.tone];
  const bar = useRef<HTMLElement>(null);
  useEffect(() => bar.current?.focus(), []);

  return (
    <section className={classes.ended} data-tone={notice.tone} ref={bar} tabIndex={-1} role="alert">
      <Icon className={classes.endedIcon} size={20} aria-hidden />
      <div className={classes.endedText}>
        <strong>{notice.title}</strong>
        {notice.detail && <span>{notice.detail}</span>}
        {offline && end.kind !== 'notConnected' && (
          <span>The device is not connected at the moment.</span>
        )}
      </div>
      <div className={classes.endedActions}>
        <Button component={Link} to={`/devices/${deviceId}/troubleshooting`} variant="default">
          Back to device
        </Button>
        <Button onClick={props.onAgain} disabled={offline}>
          New terminal
        </Button>
      </div>
    </section>
  );
}

function explain(end: End, offline: boolean, error: string | undefined): EndNotice {
  if (end.kind === 'notConnected' && !end.text) {
    const title = 'The terminal could not be opened';
    if (error) return { tone: 'failed', title, detail: error };
    if (offline) return { tone: 'failed', title, detail: 'The device is not connected.' };
  }
  return describe(end);
}
