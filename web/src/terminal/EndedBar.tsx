import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { CircleCheck, CircleX, Unplug } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { Link } from 'react-router';
import * as queries from '../api/queries.ts';
import type { Device } from '../api/types.ts';
import { SessionList } from '../sessions/SessionList.tsx';
import { describe, type End } from './ended.ts';
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
  const offline = device?.connected === false;
  const notice = describe(end);
  // Sessions of one's own that hold the place, as far as they are still there.
  const held = end.kind === 'refused' ? end.detached : [];
  const list = useQuery({ ...queries.deviceSessions(deviceId), enabled: held.length > 0 });
  const mine = list.data?.sessions.filter(({ id }) => held.includes(id)) ?? [];
  const Icon = ICONS[notice.tone];
  const bar = useRef<HTMLElement>(null);
  useEffect(() => bar.current?.focus(), []);

  return (
    <>
      {mine.length > 0 && (
        <div className={classes.holders}>
          <SessionList sessions={mine} />
        </div>
      )}
      <section
        className={classes.ended}
        data-tone={notice.tone}
        ref={bar}
        tabIndex={-1}
        role="alert"
      >
        <Icon className={classes.endedIcon} size={20} aria-hidden />
        <div className={classes.endedText}>
          <strong>{notice.title}</strong>
          {notice.detail && <span>{notice.detail}</span>}
          {offline && end.kind !== 'endsLater' && (
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
    </>
  );
}
