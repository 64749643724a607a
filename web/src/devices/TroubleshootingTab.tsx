import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { SquareTerminal } from 'lucide-react';
import { Link } from 'react-router';
import * as queries from '../api/queries.ts';
import type { Device, Me, Permission } from '../api/types.ts';
import { Card } from '../layout/Card.tsx';
import { Command } from '../layout/Copy.tsx';
import { SessionList } from '../sessions/SessionList.tsx';
import { useDevice } from './DevicePage.tsx';
import classes from './TroubleshootingTab.module.css';

const CONNECT: Permission = 'device.connect';

export function Component() {
  const device = useDevice();
  const me = useQuery(queries.me).data;
  const obstacle = whyNot(device, me);
  const sessions = useQuery(queries.deviceSessions(device.id)).data?.sessions ?? [];
  return (
    <>
      {sessions.length > 0 && (
        <Card
          title="Live sessions"
          note="Shells that run on this device now, whether somebody looks or not."
        >
          <SessionList sessions={sessions} />
        </Card>
      )}
      <Card
        title="Terminal"
        note="A live shell on the device, as the user its agent is set up for."
      >
        <div className={classes.terminal}>
          <span className={classes.icon} data-on={device.connected || undefined}>
            <SquareTerminal size={26} aria-hidden />
          </span>
          <div className={classes.text}>
            <strong>{obstacle ? 'Not possible right now' : 'Ready'}</strong>
            <p id="terminal-obstacle">
              {obstacle ??
                'Your session goes on when you leave its page, and waits for you until you end it.'}
            </p>
          </div>
          {obstacle ? (
            <Button size="md" disabled aria-describedby="terminal-obstacle">
              Connect terminal
            </Button>
          ) : (
            <Button size="md" component={Link} to={`/devices/${device.id}/terminal`}>
              Connect terminal
            </Button>
          )}
        </div>
      </Card>
      {device.status === 'accepted' && !device.connected && <OfflineHelp />}
      <Card title="From your own terminal" note="The same session without a browser.">
        <div className={classes.command}>
          <Command>{`longwire terminal ${device.id}`}</Command>
        </div>
      </Card>
    </>
  );
}

/** Why a terminal cannot be opened right now, or `undefined` if it can. */
export function whyNot(device: Device, me: Me | undefined): string | undefined {
  if (me && !me.permissions.includes(CONNECT)) {
    return 'Your role does not allow terminals on devices. Ask an administrator.';
  }
  if (device.status !== 'accepted') return 'The device has to be accepted first.';
  if (!device.connected) return 'The device is not connected. As soon as it is, this button works.';
  return undefined;
}

function OfflineHelp() {
  return (
    <Card
      title="Why is it not connected?"
      note="What to look at when you can reach the device another way."
    >
      <ul className={classes.help}>
        <li>
          <p>Is the agent running, and what does it say?</p>
          <Command>
            {'systemctl status longwire-agent mender-connect\njournalctl -u longwire-agent -n 50'}
          </Command>
        </li>
        <li>
          <p>Can the device reach this server?</p>
          <Command>{`curl -sSI ${window.location.origin}`}</Command>
        </li>
        <li>
          <p>
            Is its clock right? A certificate looks invalid to a device that believes it is 1970.
          </p>
        </li>
      </ul>
    </Card>
  );
}
