import { ActionIcon, Button } from '@mantine/core';
import {
  CircleAlert,
  Clock,
  Eraser,
  KeyboardOff,
  PlugZap,
  RefreshCw,
  Unplug,
  UserRound,
  X,
} from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { durationText } from '../layout/When.tsx';
import type { Channel } from './channel.ts';
import classes from './Notices.module.css';
import type { Shown } from './notices.ts';
import type { ChannelState } from './state.ts';

/** How long a notice stands that needs no answer, in milliseconds. */
const STANDS_MS: Partial<Record<Shown['kind'], number>> = {
  typingRefused: 5_000,
  deviceBack: 6_000,
  interrupted: 8_000,
};

/** What there is to know, drawn over the terminal and never in it: the shell's size stays as it is. */
export function Notices(props: { name: string; state: ChannelState; channel: Channel }) {
  const { name, state, channel } = props;
  const { link, device, held, failures } = state;
  if (state.phase === 'ended') return null;
  const down = state.phase === 'live' && link.kind !== 'up';
  return (
    <div className={classes.stack} aria-live="polite">
      {(down || failures > 1) && link.kind !== 'up' && (
        <Bar tone="warn" icon={RefreshCw} label="Connection">
          <strong>Connection to the server lost.</strong>{' '}
          {link.kind === 'waiting' ? (
            <>
              Trying again <In until={link.until} />.
            </>
          ) : (
            'Connecting again…'
          )}{' '}
          {state.control && 'What you type is kept and sent then.'}
          <Actions>
            <Button size="compact-xs" variant="default" onClick={() => channel.wake()}>
              Try now
            </Button>
          </Actions>
        </Bar>
      )}
      {!down && device?.connected === false && (
        <Bar tone="warn" icon={Unplug} label="Device">
          <strong>
            {name} has been away for <Lasting since={device.since} />.
          </strong>{' '}
          {device.lossless
            ? 'The shell runs on; you see what happened when it is back.'
            : 'Its agent cannot keep output meanwhile, some may be missing.'}
        </Bar>
      )}
      {held > 0 && !down && (
        <Bar tone="ask" icon={KeyboardOff} label="Held input">
          <strong>Still send what you typed?</strong> {bytesText(held)} waited for more than a
          minute and {held === 1 ? 'has' : 'have'} not reached {name}.
          <Actions>
            <Button size="compact-xs" onClick={() => channel.releaseHeld()}>
              Send
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => channel.discardHeld()}>
              Discard
            </Button>
          </Actions>
        </Bar>
      )}
      {state.notices.map((notice) => (
        <Told key={notice.kind} notice={notice} name={name} channel={channel} state={state} />
      ))}
    </div>
  );
}

function Told(props: { notice: Shown; name: string; channel: Channel; state: ChannelState }) {
  const { notice, name, channel, state } = props;
  const stands = STANDS_MS[notice.kind];
  useEffect(() => {
    if (stands === undefined) return;
    const over = setTimeout(() => channel.dismiss(notice.kind), stands);
    return () => clearTimeout(over);
  }, [notice, stands, channel]);
  const close = () => channel.dismiss(notice.kind);

  switch (notice.kind) {
    case 'idle':
      return (
        <Bar tone="warn" icon={Clock} label="Idle" onClose={close}>
          <strong>
            Nobody has typed for long: this session ends <In until={notice.endsAt} />.
          </strong>{' '}
          {state.control ? 'Type anything to stay.' : 'Whoever is in control can stay by typing.'}
        </Bar>
      );
    case 'expiry':
      return (
        <Bar tone="warn" icon={Clock} label="Expiry" onClose={close}>
          <strong>
            This session ends <In until={notice.endsAt} />.
          </strong>{' '}
          Its longest time is over; save your work.
        </Bar>
      );
    case 'gap':
      return (
        <Bar tone="bad" icon={Eraser} label="Gap" onClose={close}>
          <strong>
            {notice.bytes === undefined
              ? 'Some output may be missing.'
              : `${bytesText(notice.bytes)} of output ${notice.bytes === 1 ? 'is' : 'are'} missing.`}
          </strong>{' '}
          Nobody has it any more; the session goes on after it.
        </Bar>
      );
    case 'takenOver':
      return (
        <Bar tone="info" icon={UserRound} label="Control" onClose={close}>
          <strong>
            {notice.by ?? controllerName(state) ?? 'Somebody else'} has taken control.
          </strong>{' '}
          {notice.unarrived > 0
            ? `The last ${bytesText(notice.unarrived)} you typed did not arrive.`
            : 'You watch now.'}
          <Actions>
            <Button size="compact-xs" variant="default" onClick={() => channel.takeControl()}>
              Take it back
            </Button>
          </Actions>
        </Bar>
      );
    case 'interrupted':
      return (
        <Bar tone="info" icon={Eraser} label="Interrupt" onClose={close}>
          {bytesText(notice.bytes)} typed before the interrupt {notice.bytes === 1 ? 'was' : 'were'}{' '}
          thrown away.
        </Bar>
      );
    case 'typingRefused':
      return (
        <Bar tone="info" icon={KeyboardOff} label="Typing">
          {notice.why === 'away' && (
            <>
              <strong>Not sent:</strong> {name} is away. Type again when it is back.
            </>
          )}
          {notice.why === 'watching' && (
            <>
              <strong>You are watching.</strong> Take control to type.
            </>
          )}
          {notice.why === 'asked' && (
            <>
              <strong>Not sent:</strong> control is asked for and not yours yet.
            </>
          )}
          {notice.why === 'tooMuch' && (
            <>
              <strong>Not sent:</strong> more waits already than the shell takes.
            </>
          )}
          {notice.why === 'watching' && (
            <Actions>
              <Button size="compact-xs" variant="default" onClick={() => channel.takeControl()}>
                Take control
              </Button>
            </Actions>
          )}
        </Bar>
      );
    case 'deviceBack':
      return (
        <Bar tone="good" icon={PlugZap} label="Device" onClose={close}>
          <strong>{name} is back</strong> after {durationText(notice.awaySince, Date.now())}.
        </Bar>
      );
    case 'recording':
    case 'controlRefused':
    case 'other':
      return (
        <Bar
          tone={notice.kind === 'other' ? 'info' : 'bad'}
          icon={CircleAlert}
          label="Notice"
          onClose={close}
        >
          {sentence(notice.text)}
        </Bar>
      );
  }
}

export function Bar(props: {
  tone: 'warn' | 'bad' | 'info' | 'good' | 'ask';
  icon: typeof Clock;
  label: string;
  children: ReactNode;
  onClose?: () => void;
}) {
  const Icon = props.icon;
  return (
    <section
      className={classes.bar}
      data-tone={props.tone}
      role={props.tone === 'ask' ? 'alertdialog' : 'status'}
      aria-label={props.label}
    >
      <Icon size={16} aria-hidden className={classes.icon} />
      <div className={classes.text}>{props.children}</div>
      {props.onClose && (
        <ActionIcon size="sm" aria-label="Dismiss" onClick={props.onClose}>
          <X size={14} />
        </ActionIcon>
      )}
    </section>
  );
}

export function Actions({ children }: { children: ReactNode }) {
  return <span className={classes.actions}>{children}</span>;
}

/** "in 42 seconds", every second anew. */
function In({ until }: { until: number }) {
  const seconds = Math.ceil((until - useNow()) / 1000);
  if (seconds <= 0) return <>now</>;
  return (
    <span className="tabular">
      in {seconds} second{seconds === 1 ? '' : 's'}
    </span>
  );
}

/** "3 minutes", every second anew. */
function Lasting({ since }: { since: number }) {
  return <span className="tabular">{durationText(since, Math.max(useNow(), since + 1000))}</span>;
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function controllerName(state: ChannelState): string | undefined {
  return state.viewers.find(({ control, self }) => control && !self)?.name;
}

export function bytesText(bytes: number): string {
  if (bytes < 2048) return `${bytes} byte${bytes === 1 ? '' : 's'}`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** Peers write their texts without a capital. */
function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
