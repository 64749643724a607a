import { Button, useComputedColorScheme } from '@mantine/core';
import { useFullscreenElement } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Clipboard } from 'lucide-react';
import { useRef, useState } from 'react';
import { useParams } from 'react-router';
import * as queries from '../api/queries.ts';
import { copyText } from '../layout/clipboard.ts';
import { usePageTitle } from '../layout/usePageTitle.ts';
import { EndedBar } from './EndedBar.tsx';
import { FindBar, type Found } from './FindBar.tsx';
import { LeaveGuard } from './LeaveGuard.tsx';
import { darkPalette, lightPalette } from './palette.ts';
import { useTerminalPreferences } from './preferences.ts';
import classes from './Terminal.module.css';
import { TerminalBar } from './TerminalBar.tsx';
import { useTerminal } from './useTerminal.ts';

export function Component() {
  const { id = '' } = useParams();
  return <TerminalPage key={id} deviceId={id} />;
}

function TerminalPage({ deviceId }: { deviceId: string }) {
  const device = useQuery(queries.device(deviceId)).data;
  const scheme = useComputedColorScheme('light');
  const [preferences, setPreferences] = useTerminalPreferences();
  const fullscreen = useFullscreenElement();
  const page = useRef<HTMLDivElement>(null);
  const host = useRef<HTMLDivElement>(null);
  const toolbar = useRef<HTMLDivElement>(null);
  // Counts up with every wish to find, so that a second one brings the cursor back to the field.
  const [finding, setFinding] = useState(0);
  const [found, setFound] = useState<Found>();
  const [clipboardWish, setClipboardWish] = useState('');

  const terminal = useTerminal(
    deviceId,
    host,
    scheme === 'dark' ? darkPalette : lightPalette,
    preferences,
    {
      shortcut: (name) =>
        name === 'search'
          ? setFinding((wishes) => wishes + 1)
          : toolbar.current?.querySelector<HTMLElement>('a, button')?.focus(),
      clipboardWish: setClipboardWish,
      searchResults: (index, count) => setFound({ index, count }),
    },
  );
  const { state, screen } = terminal;
  const name = device?.name ?? 'Device';
  usePageTitle(terminal.title ? `${terminal.title} · ${name}` : `${name} · Terminal`);

  // A link the server still waits for; the session itself has not ended.
  const away = state.phase === 'live' && device?.connected === false;

  return (
    <div className={classes.page} ref={page}>
      <TerminalBar
        ref={toolbar}
        deviceId={deviceId}
        name={name}
        state={state}
        away={away}
        size={terminal.size}
        preferences={preferences}
        onPreferences={setPreferences}
        fullscreen={fullscreen.fullscreen}
        onFullscreen={() => void fullscreen.toggle()}
        onFind={() => setFinding((wishes) => wishes + 1)}
        onCopy={() => void copyText(screen?.selection ?? '')}
        onClear={() => screen?.clear()}
        onStop={terminal.stop}
        onMenuClosed={() => screen?.focus()}
      />
      {away && (
        <div className={classes.notice} role="status">
          <span className={classes.noticePulse} />
          <span>
            <strong>{name} has lost its connection.</strong> Your shell is kept for a short while;
            it goes on when the device is back.
          </span>
        </div>
      )}
      {clipboardWish && (
        <div className={classes.notice} role="alertdialog" aria-label="Clipboard request">
          <Clipboard size={16} />
          <span className={classes.noticeText}>
            A program on {name} wants to put {clipboardWish.length} characters on your clipboard.
          </span>
          <Button
            size="compact-sm"
            onClick={() => {
              void copyText(clipboardWish);
              setClipboardWish('');
              screen?.focus();
            }}
          >
            Allow
          </Button>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              setClipboardWish('');
              screen?.focus();
            }}
          >
            Refuse
          </Button>
        </div>
      )}
      <main className={classes.stage}>
        {finding > 0 && screen && (
          <FindBar
            wishes={finding}
            screen={screen}
            found={found}
            onClose={() => {
              setFinding(0);
              screen.endFind();
              screen.focus();
            }}
          />
        )}
        <section
          className={classes.host}
          ref={host}
          aria-label={`Terminal on ${name}. Control Shift M moves to the toolbar.`}
        />
        {(state.phase === 'connecting' || state.phase === 'starting') && (
          <div className={classes.opening} role="status">
            <span className={classes.openingWire} />
            {state.phase === 'connecting' ? `Connecting to ${name}…` : 'Starting a shell…'}
          </div>
        )}
      </main>
      {state.phase === 'ended' && (
        <EndedBar deviceId={deviceId} device={device} end={state.end} onAgain={terminal.again} />
      )}
      <LeaveGuard active={state.phase === 'live'} name={name} />
    </div>
  );
}
