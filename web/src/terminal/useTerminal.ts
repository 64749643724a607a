/** Ties a screen, a channel and React together. */

import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useEffectEvent, useRef, useState, useSyncExternalStore } from 'react';
import { terminalUrl } from '../api/calls.ts';
import * as queries from '../api/queries.ts';
import type { Winsize } from '../protocol/shell.ts';
import { Channel } from './channel.ts';
import { SteadyClock } from './clock.ts';
import type { Palette } from './palette.ts';
import type { TerminalPreferences } from './preferences.ts';
import { fontReady, Screen } from './screen.ts';
import { isFresh, noLongerFresh } from './sid.ts';
import type { ChannelState, Intent } from './state.ts';

export interface TerminalHandlers {
  shortcut(name: 'search' | 'toolbar'): void;
  clipboardWish(text: string): void;
  searchResults(index: number, count: number): void;
}

export interface LiveTerminal {
  /** `undefined` until the screen is there. */
  readonly state: ChannelState | undefined;
  readonly channel: Channel | undefined;
  /** The title the shell has set, empty if none. */
  readonly title: string;
  readonly screen: Screen | undefined;
  /** The size that would fill the window. */
  readonly wish: Winsize | undefined;
}

const nothing = () => () => {};
const clock = new SteadyClock();
/** One load of the page: a reload knows nothing of what the last one had typed. */
const instance = `page-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;

export function useTerminal(
  { deviceId, sid, intent }: { deviceId: string; sid: string; intent: Exclude<Intent, 'new'> },
  host: React.RefObject<HTMLElement | null>,
  palette: Palette,
  preferences: TerminalPreferences,
  handlers: TerminalHandlers,
): LiveTerminal {
  const [screen, setScreen] = useState<Screen>();
  const [channel, setChannel] = useState<Channel>();
  const [wish, setWish] = useState<Winsize>();
  const [title, setTitle] = useState('');
  const current = useRef<Channel>(undefined);
  const used = useRef(false);
  const client = useQueryClient();
  const { fontSize, screenReader } = preferences;

  const makeScreen = useEffectEvent((element: HTMLElement) => {
    const made = new Screen(
      element,
      { fontSize, palette, screenReader },
      {
        input: (bytes) => current.current?.input(bytes),
        report: (bytes) => current.current?.report(bytes),
        resize: (next) => {
          setWish(next);
          current.current?.resize(next);
        },
        title: setTitle,
        clipboardWish: (text) => handlers.clipboardWish(text),
        shortcut: (name) => handlers.shortcut(name),
        searchResults: (index, count) => handlers.searchResults(index, count),
      },
    );
    setScreen(made);
    return made;
  });

  useEffect(() => {
    let made: Screen | undefined;
    let gone = false;
    const element = host.current;
    // The right number of columns at the first prompt needs the right font.
    void fontReady(14).then(() => {
      if (!gone && element) made = makeScreen(element);
    });
    return () => {
      gone = true;
      made?.dispose();
      setScreen(undefined);
    };
  }, [host]);

  // What is wanted of a session is decided when it is opened; control may change hands afterwards.
  const wanted = useEffectEvent((): Intent => (isFresh(sid) ? 'new' : intent));

  useEffect(() => {
    if (!screen) return;
    if (used.current) screen.thaw();
    used.current = true;
    const made = new Channel({
      open: (subprotocol) => new WebSocket(terminalUrl(deviceId), subprotocol),
      sink: screen,
      sid,
      intent: wanted(),
      size: screen.wish,
      instance,
      now: clock.now,
      random: Math.random,
    });
    current.current = made;
    setChannel(made);
    setTitle('');
    const leave = made.subscribe(() => {
      const { phase } = made.getState();
      if (phase !== 'opening') noLongerFresh(sid);
      if (phase === 'ended') {
        leave();
        screen.freeze();
      }
    });
    made.connect();
    screen.focus();
    const wake = () => {
      if (document.visibilityState === 'visible') made.wake();
    };
    window.addEventListener('online', wake);
    document.addEventListener('visibilitychange', wake);
    return () => {
      window.removeEventListener('online', wake);
      document.removeEventListener('visibilitychange', wake);
      current.current = undefined;
      made.dispose();
      setChannel(undefined);
    };
  }, [screen, deviceId, sid]);

  useEffect(() => screen?.setPalette(palette), [screen, palette]);
  useEffect(() => screen?.setFontSize(fontSize), [screen, fontSize]);
  useEffect(() => screen?.setScreenReader(screenReader), [screen, screenReader]);

  const state = useSyncExternalStore(channel?.subscribe ?? nothing, () => channel?.getState());
  const phase = state?.phase;
  const control = state?.control || phase === 'opening' || false;
  const heard = state?.control === true && state.device?.connected !== false;
  useEffect(() => {
    if (phase && phase !== 'ended') screen?.setControl(control, heard);
  }, [screen, phase, control, heard]);
  // Browsers do not say why a websocket was refused; the API does.
  const failures = state?.failures ?? 0;
  useEffect(() => {
    if (failures === 0) return;
    void client.invalidateQueries({ queryKey: queries.me.queryKey });
    void client.invalidateQueries({ queryKey: queries.device(deviceId).queryKey });
  }, [client, failures, deviceId]);

  return { state, channel, title, screen, wish };
}
