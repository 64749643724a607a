/** Ties a screen, a channel and React together. */

import { useEffect, useEffectEvent, useRef, useState, useSyncExternalStore } from 'react';
import { terminalUrl } from '../api/calls.ts';
import type { Winsize } from '../protocol/shell.ts';
import { Channel, type ChannelState } from './channel.ts';
import type { Palette } from './palette.ts';
import type { TerminalPreferences } from './preferences.ts';
import { fontReady, Screen } from './screen.ts';

export interface TerminalHandlers {
  shortcut(name: 'search' | 'toolbar'): void;
  clipboardWish(text: string): void;
  searchResults(index: number, count: number): void;
}

export interface LiveTerminal {
  readonly state: ChannelState;
  readonly size: Winsize | undefined;
  /** The title the shell has set, empty if none. */
  readonly title: string;
  readonly screen: Screen | undefined;
  stop(): void;
  /** Opens a new shell on the same screen, after the last one has ended. */
  again(): void;
}

const CONNECTING: ChannelState = { phase: 'connecting' };
const nothing = () => () => {};

export function useTerminal(
  deviceId: string,
  host: React.RefObject<HTMLElement | null>,
  palette: Palette,
  preferences: TerminalPreferences,
  handlers: TerminalHandlers,
): LiveTerminal {
  const [screen, setScreen] = useState<Screen>();
  const [channel, setChannel] = useState<Channel>();
  const [attempt, setAttempt] = useState(0);
  const [size, setSize] = useState<Winsize>();
  const [title, setTitle] = useState('');
  const current = useRef<Channel>(undefined);
  const { fontSize, screenReader } = preferences;

  const makeScreen = useEffectEvent((element: HTMLElement) => {
    const made = new Screen(
      element,
      { fontSize, palette, screenReader },
      {
        input: (bytes) => current.current?.input(bytes),
        resize: (next) => {
          setSize(next);
          current.current?.resize(next);
        },
        title: setTitle,
        clipboardWish: (text) => handlers.clipboardWish(text),
        shortcut: (name) => handlers.shortcut(name),
        searchResults: (index, count) => handlers.searchResults(index, count),
      },
    );
    setSize(made.size);
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

  // biome-ignore lint/correctness/useExhaustiveDependencies: each attempt is a new session
  useEffect(() => {
    if (!screen) return;
    const made = new Channel(
      (subprotocol) => new WebSocket(terminalUrl(deviceId), subprotocol),
      screen,
      screen.size,
    );
    current.current = made;
    setChannel(made);
    setTitle('');
    made.connect();
    screen.focus();
    return () => {
      current.current = undefined;
      made.dispose();
    };
  }, [screen, attempt, deviceId]);

  useEffect(() => screen?.setPalette(palette), [screen, palette]);
  useEffect(() => screen?.setFontSize(fontSize), [screen, fontSize]);
  useEffect(() => screen?.setScreenReader(screenReader), [screen, screenReader]);

  const state = useSyncExternalStore(channel?.subscribe ?? nothing, () =>
    channel ? channel.getState() : CONNECTING,
  );
  useEffect(() => {
    if (state.phase === 'ended') screen?.freeze();
  }, [screen, state]);

  return {
    state,
    size,
    title,
    screen,
    stop: () => current.current?.stop(),
    again: () => {
      screen?.thaw();
      setAttempt((last) => last + 1);
    },
  };
}
