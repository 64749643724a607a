import { Button } from '@mantine/core';
import { Plus } from 'lucide-react';
import { Link } from 'react-router';
import type { Session } from '../api/types.ts';
import { SessionList } from '../sessions/SessionList.tsx';
import classes from './SessionChoice.module.css';

/** Asks before another shell is opened beside sessions of one's own. */
export function SessionChoice(props: {
  deviceId: string;
  name: string;
  sessions: readonly Session[];
  onNew: () => void;
}) {
  const { sessions, name } = props;
  const one = sessions.length === 1;
  return (
    <main className={classes.page}>
      <section className={classes.card} aria-labelledby="choice">
        <header>
          <h1 id="choice">
            {one ? 'You have a session' : `You have ${sessions.length} sessions`} on {name}
          </h1>
          <p>Go on where you were, or begin anew beside {one ? 'it' : 'them'}.</p>
        </header>
        <SessionList sessions={sessions} />
        <footer>
          <Button
            component={Link}
            to={`/devices/${props.deviceId}/troubleshooting`}
            variant="default"
          >
            Back to device
          </Button>
          <Button variant="default" leftSection={<Plus size={15} />} onClick={props.onNew}>
            New terminal
          </Button>
        </footer>
      </section>
    </main>
  );
}
