import { ActionIcon, Button, Menu } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { EllipsisVertical, Eye, MonitorUp, OctagonX, Play, Unplug } from 'lucide-react';
import { useState } from 'react';
import { Link } from 'react-router';
import * as queries from '../api/queries.ts';
import type { Session } from '../api/types.ts';
import { When } from '../layout/When.tsx';
import { EndDialog } from './EndDialog.tsx';
import { Face } from './Face.tsx';
import { actsFor, isMine, type SessionAct, sessionName, sessionPath } from './facts.ts';
import classes from './SessionList.module.css';

const ACTS = {
  resume: { label: 'Resume', icon: Play },
  takeOver: { label: 'Take over', icon: MonitorUp },
  watch: { label: 'Watch', icon: Eye },
} as const;

/** Live sessions with what one may do about each. `showDevice`: they are of several devices. */
export function SessionList(props: { sessions: readonly Session[]; showDevice?: boolean }) {
  const me = useQuery(queries.me).data;
  const [ending, setEnding] = useState<Session>();
  return (
    <>
      <ul className={classes.list}>
        {props.sessions.map((session) => (
          <Row
            key={session.id}
            session={session}
            mine={isMine(session, me)}
            acts={actsFor(session, me)}
            showDevice={props.showDevice ?? false}
            onEnd={() => setEnding(session)}
          />
        ))}
      </ul>
      {ending && (
        <EndDialog
          session={ending}
          mine={isMine(ending, me)}
          onClose={() => setEnding(undefined)}
        />
      )}
    </>
  );
}

function Row(props: {
  session: Session;
  mine: boolean;
  acts: SessionAct[];
  showDevice: boolean;
  onEnd: () => void;
}) {
  const { session, mine, acts, showDevice } = props;
  const name = sessionName(session);
  const [first] = acts;
  return (
    <li className={classes.row}>
      <div className={classes.text}>
        <span className={classes.name}>
          {showDevice ? (
            <Link to={`/devices/${session.device_id}/troubleshooting`}>{session.device_name}</Link>
          ) : (
            <span className="truncate">{name}</span>
          )}
          {!session.device_connected && (
            <span className={classes.away}>
              <Unplug size={12} aria-hidden /> device away
            </span>
          )}
          {!session.lossless && (
            <span
              className={classes.lossy}
              title="This device’s agent cannot keep output while its link is down"
            >
              not lossless
            </span>
          )}
        </span>
        <span className={classes.facts}>
          {showDevice && <span className="truncate">{name}</span>}
          <span>{mine ? 'yours' : session.owner.email}</span>
          <span>
            started <When at={session.started_at} />
          </span>
        </span>
      </div>
      <div className={classes.state}>
        <State session={session} />
      </div>
      <div className={classes.actions}>
        {first && first !== 'end' && (
          <Button
            component={Link}
            to={sessionPath(session, first)}
            size="compact-sm"
            variant={first === 'resume' ? 'filled' : 'default'}
            aria-label={`${ACTS[first].label} ${name}`}
          >
            {ACTS[first].label}
          </Button>
        )}
        {acts.length > 1 && (
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon size="md" aria-label={`More about ${name}`}>
                <EllipsisVertical size={17} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {acts.slice(1).map((act) => {
                if (act === 'end') {
                  return (
                    <Menu.Item
                      key={act}
                      color="var(--lw-bad)"
                      leftSection={<OctagonX size={15} />}
                      onClick={props.onEnd}
                    >
                      End session…
                    </Menu.Item>
                  );
                }
                const { label, icon: Icon } = ACTS[act];
                return (
                  <Menu.Item
                    key={act}
                    component={Link}
                    to={sessionPath(session, act)}
                    leftSection={<Icon size={15} />}
                  >
                    {label}
                  </Menu.Item>
                );
              })}
            </Menu.Dropdown>
          </Menu>
        )}
      </div>
    </li>
  );
}

function State({ session }: { session: Session }) {
  if (session.state === 'ending') return <span className={classes.idle}>Ending</span>;
  if (session.viewers.length > 0) {
    const people = session.viewers.map(({ email }) => email).join(', ');
    return (
      <span className={classes.faces} title={people}>
        <span className="visually-hidden">Attached: {people}</span>
        {session.viewers.slice(0, 4).map((viewer) => (
          <Face
            key={`${viewer.email} ${viewer.since}`}
            name={viewer.email}
            control={viewer.control}
          />
        ))}
      </span>
    );
  }
  return (
    <span className={classes.idle}>
      Detached
      {session.detached_at && (
        <>
          {' '}
          <When at={session.detached_at} />
        </>
      )}
    </span>
  );
}
