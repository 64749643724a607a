import { Button, useComputedColorScheme } from '@mantine/core';
import { useFullscreenElement } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { Clipboard } from 'lucide-react';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { Navigate, useNavigate, useParams, useSearchParams } from 'react-router';
import { ApiError } from '../api/errors.ts';
import * as queries from '../api/queries.ts';
import { copyText } from '../layout/clipboard.ts';
import { usePageTitle } from '../layout/usePageTitle.ts';
import { isMine } from '../sessions/facts.ts';
import { EndedBar } from './EndedBar.tsx';
import { FindBar, type Found } from './FindBar.tsx';
import { Actions, Bar, Notices } from './Notices.tsx';
import { darkPalette, lightPalette } from './palette.ts';
import { useTerminalPreferences } from './preferences.ts';
import { SessionChoice } from './SessionChoice.tsx';
import { freshSid, isFresh } from './sid.ts';
import classes from './Terminal.module.css';
import { TerminalBar } from './TerminalBar.tsx';
import { useTerminal } from './useTerminal.ts';

export function Component() {
  const { id = '', sid } = useParams();
  return sid ? (
    <TerminalPage key={id} deviceId={id} sid={sid} />
  ) : (
    <Opening key={id} deviceId={id} />
  );
}

/** Opens a shell, unless there are sessions of one's own to go on with. */
function Opening({ deviceId }: { deviceId: string }) {
  const me = useQuery(queries.me).data;
  const device = useQuery(queries.device(deviceId)).data;
  // What the page knew before may be over by now.
  const list = useQuery({ ...queries.deviceSessions(deviceId), staleTime: 0 });
  const [fresh] = useState(freshSid);
  const [anew, setAnew] = useState(false);
  usePageTitle(`${device?.name ?? 'Device'} · Terminal`);
  if (list.isPending || (list.isFetching && list.isStale) || !me) return null;
  const mine = list.data?.sessions.filter(
    (session) => isMine(session, me) && session.state !== 'ending',
  );
  if (anew || !mine?.length)
    return <Navigate to={`/devices/${deviceId}/terminal/${fresh}`} replace />;
  return (
    <SessionChoice
      deviceId={deviceId}
      name={device?.name ?? 'this device'}
      sessions={mine}
      onNew={() => setAnew(true)}
    />
  );
}

function TerminalPage({ deviceId, sid }: { deviceId: string; sid: string }) {
  const deviceQuery = useQuery(queries.device(deviceId));
  const device = deviceQuery.data;
  const scheme = useComputedColorScheme('light');
  const [preferences, setPreferences] = useTerminalPreferences();
  const fullscreen = useFullscreenElement();
  const navigate = useNavigate();
  const [params, setParams] = useSearchParams();
  const host = useRef<HTMLDivElement>(null);
  const toolbar = useRef<HTMLDivElement>(null);
  // Counts up with every wish to find, so that a second one brings the cursor back to the field.
  const [finding, setFinding] = useState(0);
  const [found, setFound] = useState<Found>();
  const [clipboardWish, setClipboardWish] = useState('');

  const intent = params.has('watch') ? 'watch' : params.has('take') ? 'takeOver' : 'resume';
  const terminal = useTerminal(
    { deviceId, sid, intent },
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
  const { state, channel, screen } = terminal;
  const name = device?.name ?? 'Device';
  usePageTitle(terminal.title ? `${terminal.title} · ${name}` : `${name} · Terminal`);

  // What was wanted once is not wanted again by a reload.
  const control = state?.control ?? false;
  const asked = params.has('take') || params.has('watch');
  useEffect(() => {
    if (control && asked) setParams({}, { replace: true });
  }, [control, asked, setParams]);

  // The link is refused and the API says why: nobody has to wait for that to change.
  const refusal = deviceQuery.error;
  useEffect(() => {
    if (refusal instanceof ApiError && [403, 404].includes(refusal.status)) {
      channel?.giveUp(refusal.message);
    }
  }, [refusal, channel]);

  useLeaveNote(name, control && !state?.ending);

  const controller = state?.viewers.find((viewer) => viewer.control);
  return (
    <div className={classes.page}>
      <TerminalBar
        ref={toolbar}
        deviceId={deviceId}
        name={name}
        state={state}
        channel={channel}
        preferences={preferences}
        onPreferences={setPreferences}
        fullscreen={fullscreen.fullscreen}
        onFullscreen={() => void fullscreen.toggle()}
        onFind={() => setFinding((wishes) => wishes + 1)}
        onCopy={() => void copyText(screen?.selection ?? '')}
        onClear={() => screen?.clear()}
        onDone={() => screen?.focus()}
      />
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
          data-theirs={(state?.phase === 'live' && !control) || undefined}
          aria-label={`Terminal on ${name}. Control Shift M moves to the toolbar.`}
        />
        {state?.phase === 'live' && !control && state.size && controller && (
          <span className={classes.sized}>
            {state.size.cols}×{state.size.rows}, the size of {controller.name}
          </span>
        )}
        {state && channel && <Notices name={name} state={state} channel={channel} />}
        {clipboardWish && (
          <div className={classes.wish}>
            <Bar tone="ask" icon={Clipboard} label="Clipboard request">
              A program on {name} wants to put {clipboardWish.length} characters on your clipboard.
              <Actions>
                <Button
                  size="compact-xs"
                  onClick={() => {
                    void copyText(clipboardWish);
                    setClipboardWish('');
                    screen?.focus();
                  }}
                >
                  Allow
                </Button>
                <Button
                  size="compact-xs"
                  variant="default"
                  onClick={() => {
                    setClipboardWish('');
                    screen?.focus();
                  }}
                >
                  Refuse
                </Button>
              </Actions>
            </Bar>
          </div>
        )}
        {(!state || state.phase === 'opening') && (
          <div className={classes.opening} role="status">
            <span className={classes.openingWire} />
            {openingText(name, state?.link.kind === 'up', isFresh(sid))}
          </div>
        )}
      </main>
      {state?.end && (
        <EndedBar
          deviceId={deviceId}
          device={device}
          end={state.end}
          onAgain={() => void navigate(`/devices/${deviceId}/terminal/${freshSid()}`)}
        />
      )}
    </div>
  );
}

function openingText(name: string, linked: boolean, fresh: boolean): string {
  if (!linked) return `Connecting to ${name}…`;
  return fresh ? 'Starting a shell…' : 'Fetching the screen…';
}

/** The note about a session that was left; gone when a terminal is opened again. */
const LEFT = 'session-left';

/** Whoever leaves a running shell is told that it goes on. */
function useLeaveNote(name: string, running: boolean) {
  const left = useEffectEvent(() => {
    if (!running) return;
    notifications.show({
      id: LEFT,
      title: 'Your session goes on',
      message: `The shell on ${name} runs until you end it. Resume it whenever you like.`,
    });
  });
  useEffect(() => {
    notifications.hide(LEFT);
    return () => left();
  }, []);
}
