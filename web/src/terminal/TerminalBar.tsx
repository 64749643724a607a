import { ActionIcon, Button, Menu, Tooltip } from '@mantine/core';
import {
  AArrowDown,
  AArrowUp,
  Accessibility,
  ArrowLeft,
  Copy,
  EllipsisVertical,
  Eraser,
  Maximize,
  Minimize,
  Search,
} from 'lucide-react';
import { Link } from 'react-router';
import type { Winsize } from '../protocol/shell.ts';
import type { ChannelState } from './channel.ts';
import { FONT_SIZES, type TerminalPreferences } from './preferences.ts';
import classes from './Terminal.module.css';

interface TerminalBarProps {
  ref: React.Ref<HTMLDivElement>;
  deviceId: string;
  name: string;
  state: ChannelState;
  away: boolean;
  size: Winsize | undefined;
  preferences: TerminalPreferences;
  onPreferences: (next: TerminalPreferences) => void;
  fullscreen: boolean;
  onFullscreen: () => void;
  onFind: () => void;
  onCopy: () => void;
  onClear: () => void;
  onStop: () => void;
  /** The keys go back to the shell. */
  onMenuClosed: () => void;
}

export function TerminalBar(props: TerminalBarProps) {
  const { preferences, onPreferences, size, state } = props;
  const enlarge = (by: number) => {
    const fontSize = Math.min(FONT_SIZES.max, Math.max(FONT_SIZES.min, preferences.fontSize + by));
    onPreferences({ ...preferences, fontSize });
  };
  return (
    <header className={classes.bar} ref={props.ref}>
      <Tooltip label="Back to the device">
        <ActionIcon
          component={Link}
          to={`/devices/${props.deviceId}/troubleshooting`}
          aria-label="Back to the device"
        >
          <ArrowLeft size={18} />
        </ActionIcon>
      </Tooltip>
      <h1 className={`${classes.name} truncate`}>{props.name}</h1>
      <StateMark state={state} away={props.away} />
      <span className={classes.spacer} />
      {size && (
        <span className={`${classes.size} mono`} title="Columns × rows">
          <span className="visually-hidden">Terminal size </span>
          {size.cols}×{size.rows}
        </span>
      )}
      <Tooltip label="Find (Ctrl+Shift+F)">
        <ActionIcon aria-label="Find" onClick={props.onFind}>
          <Search size={17} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label={props.fullscreen ? 'Leave full screen' : 'Full screen'}>
        <ActionIcon
          className={classes.wide}
          aria-label={props.fullscreen ? 'Leave full screen' : 'Full screen'}
          onClick={props.onFullscreen}
        >
          {props.fullscreen ? <Minimize size={17} /> : <Maximize size={17} />}
        </ActionIcon>
      </Tooltip>
      <Menu
        position="bottom-end"
        withinPortal={false}
        returnFocus={false}
        onClose={props.onMenuClosed}
      >
        <Menu.Target>
          <ActionIcon aria-label="More">
            <EllipsisVertical size={17} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item
            leftSection={<Copy size={15} />}
            rightSection={<Keys>Ctrl+Shift+C</Keys>}
            onClick={props.onCopy}
          >
            Copy selection
          </Menu.Item>
          <Menu.Item leftSection={<Eraser size={15} />} onClick={props.onClear}>
            Clear scrollback
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item
            closeMenuOnClick={false}
            leftSection={<AArrowUp size={15} />}
            onClick={() => enlarge(1)}
          >
            Larger text
          </Menu.Item>
          <Menu.Item
            closeMenuOnClick={false}
            leftSection={<AArrowDown size={15} />}
            onClick={() => enlarge(-1)}
          >
            Smaller text
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item
            role="menuitemcheckbox"
            aria-checked={preferences.screenReader}
            leftSection={<Accessibility size={15} />}
            rightSection={<Keys>{preferences.screenReader ? 'On' : 'Off'}</Keys>}
            onClick={() =>
              onPreferences({ ...preferences, screenReader: !preferences.screenReader })
            }
          >
            Screen reader mode
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {state.phase !== 'ended' && (
        <Button size="compact-sm" variant="default" className={classes.end} onClick={props.onStop}>
          End session
        </Button>
      )}
    </header>
  );
}

function Keys({ children }: { children: React.ReactNode }) {
  return <span className={classes.keys}>{children}</span>;
}

function StateMark({ state, away }: { state: ChannelState; away: boolean }) {
  const [kind, text] = away ? ['wait', 'Device away'] : STATE_TEXT[state.phase];
  return (
    <span className={classes.state} data-kind={kind} role="status">
      {text}
    </span>
  );
}

const STATE_TEXT: Record<ChannelState['phase'], [kind: string, text: string]> = {
  connecting: ['wait', 'Connecting'],
  starting: ['wait', 'Starting'],
  live: ['live', 'Live'],
  ended: ['ended', 'Ended'],
};
