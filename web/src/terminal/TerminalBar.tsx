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
  OctagonX,
  Search,
} from 'lucide-react';
import { Link } from 'react-router';
import type { Channel } from './channel.ts';
import { Presence, WatchingBadge } from './Presence.tsx';
import { FONT_SIZES, type TerminalPreferences } from './preferences.ts';
import type { ChannelState } from './state.ts';
import classes from './Terminal.module.css';

interface TerminalBarProps {
  ref: React.Ref<HTMLDivElement>;
  deviceId: string;
  name: string;
  state: ChannelState | undefined;
  channel: Channel | undefined;
  preferences: TerminalPreferences;
  onPreferences: (next: TerminalPreferences) => void;
  fullscreen: boolean;
  onFullscreen: () => void;
  onFind: () => void;
  onCopy: () => void;
  onClear: () => void;
  /** The keys go back to the shell. */
  onDone: () => void;
}

export function TerminalBar(props: TerminalBarProps) {
  const { preferences, onPreferences, state, channel } = props;
  const live = state?.phase === 'live';
  const size = state?.size;
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
      <StateMark state={state} />
      {live && !state.control && <WatchingBadge />}
      {live && state.device?.lossless === false && (
        <Tooltip label="This device’s agent cannot keep output while its link is down">
          <span className={`${classes.lossy} ${classes.wide}`}>Not lossless</span>
        </Tooltip>
      )}
      <span className={classes.spacer} />
      {live && channel && (
        <Presence
          viewers={state.viewers}
          control={state.control}
          onHandOver={(to) => channel.handOver(to)}
          onClosed={props.onDone}
        />
      )}
      {live && !state.control && (
        <Button
          size="compact-sm"
          className={classes.take}
          loading={state.asking}
          onClick={() => {
            channel?.takeControl();
            props.onDone();
          }}
        >
          Take control
        </Button>
      )}
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
      <Menu position="bottom-end" withinPortal={false} returnFocus={false} onClose={props.onDone}>
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
          {live && state.control && (
            <>
              <Menu.Divider className={classes.narrow} />
              <Menu.Item
                className={classes.narrow}
                color="var(--lw-bad)"
                leftSection={<OctagonX size={15} />}
                disabled={state.ending}
                onClick={() => channel?.stop()}
              >
                End session
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
      {live && state.control && (
        <Button
          size="compact-sm"
          variant="default"
          className={`${classes.end} ${classes.wide}`}
          loading={state.ending}
          onClick={() => channel?.stop()}
        >
          End session
        </Button>
      )}
    </header>
  );
}

function Keys({ children }: { children: React.ReactNode }) {
  return <span className={classes.keys}>{children}</span>;
}

function StateMark({ state }: { state: ChannelState | undefined }) {
  const [kind, text] = stateText(state);
  return (
    <span
      className={classes.state}
      data-kind={kind}
      data-watching={(state?.phase === 'live' && !state.control) || undefined}
      role="status"
    >
      {text}
    </span>
  );
}

function stateText(state: ChannelState | undefined): [kind: string, text: string] {
  if (!state) return ['wait', 'Connecting'];
  if (state.phase === 'ended') return ['ended', 'Ended'];
  if (state.link.kind !== 'up') {
    return ['wait', state.phase === 'live' ? 'Reconnecting' : 'Connecting'];
  }
  if (state.phase === 'opening') return ['wait', 'Starting'];
  return state.device?.connected === false ? ['wait', 'Device away'] : ['live', 'Live'];
}
