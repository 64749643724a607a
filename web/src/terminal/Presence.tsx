import { Button, Menu, UnstyledButton } from '@mantine/core';
import { Eye } from 'lucide-react';
import { HowLong } from '../layout/When.tsx';
import { Face } from '../sessions/Face.tsx';
import classes from './Presence.module.css';
import type { Viewer } from './words.ts';

const SHOWN_MAX = 4;

/** Who is in the session; opens to a list, from which control can be given away. */
export function Presence(props: {
  viewers: readonly Viewer[];
  /** Whether this page is in control. */
  control: boolean;
  onHandOver: (to: Viewer) => void;
  onClosed: () => void;
}) {
  const { viewers, control } = props;
  if (viewers.length === 0) return null;
  const ordered = viewers.toSorted((a, b) => Number(b.control) - Number(a.control));
  const more = ordered.length - SHOWN_MAX;
  const who = viewers.length === 1 ? 'Only you are here' : `${viewers.length} people are here`;
  return (
    <Menu
      position="bottom-end"
      width={300}
      withinPortal={false}
      returnFocus={false}
      onClose={props.onClosed}
    >
      <Menu.Target>
        <UnstyledButton className={classes.faces} aria-label={`Who is here: ${who}`}>
          {ordered.slice(0, SHOWN_MAX).map((viewer, at) => (
            <Face
              key={viewer.id ?? `${viewer.name}-${at}`}
              name={viewer.name}
              control={viewer.control}
            />
          ))}
          {more > 0 && <span className={classes.more}>+{more}</span>}
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>In this session</Menu.Label>
        <ul className={classes.list}>
          {ordered.map((viewer, at) => (
            <li key={viewer.id ?? `${viewer.name}-${at}`}>
              <Face name={viewer.name} control={viewer.control} />
              <span className={classes.who}>
                <span className="truncate">
                  {viewer.name}
                  {viewer.self && <span className={classes.you}> you</span>}
                </span>
                <span className={classes.role}>
                  {viewer.control ? 'in control' : 'watching'} ·{' '}
                  <HowLong from={new Date(viewer.since).toISOString()} />
                </span>
              </span>
              {control && !viewer.self && viewer.id !== undefined && (
                <Button
                  size="compact-xs"
                  variant="default"
                  aria-label={`Hand over to ${viewer.name}`}
                  onClick={() => props.onHandOver(viewer)}
                >
                  Hand over
                </Button>
              )}
            </li>
          ))}
        </ul>
      </Menu.Dropdown>
    </Menu>
  );
}

/** Shown to whoever looks on. */
export function WatchingBadge() {
  return (
    <span className={classes.watching} role="status">
      <Eye size={13} aria-hidden /> <span>Watching</span>
    </span>
  );
}
