import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Channel } from '../src/terminal/channel.ts';
import type { Intent } from '../src/terminal/state.ts';
import { FakeScreen, FakeSocket, props, SID, text } from './fakes.ts';

const bytes = (from: string) => new TextEncoder().encode(from);
const MIB = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function channel(intent: Intent = 'new', size = { rows: 30, cols: 120 }) {
  const sockets: FakeSocket[] = [];
  const screen = new FakeScreen();
  const opened = new Channel({
    open: (subprotocol: string) => {
      const socket = new FakeSocket(subprotocol);
      sockets.push(socket);
      return socket;
    },
    sink: screen,
    sid: SID,
    intent,
    size,
    instance: 'page-1',
    now: () => Date.now(),
    random: () => 0.5,
  });
  opened.connect();
  const last = (): FakeSocket => {
    const socket = sockets.at(-1);
    if (!socket) throw new Error('not dialled');
    return socket;
  };
  return { channel: opened, screen, sockets, last, state: () => opened.getState() };
}

function live() {
  const made = channel();
  made.last().opens();
  made.last().says('new', { status: 1 }, 'Shell started');
  made.last().says('state', { offset: 0, input: 0, epoch: 1 });
  made.last().says('device', { connected: true, since: 1, lossless: true });
  made.last().sent.length = 0;
  return made;
}

function watching() {
  const made = channel('watch');
  made.last().opens();
  made.last().says('state', { offset: 1000, input: 70, epoch: 3, control: false });
  made.last().says('screen', { offset: 1000, terminal_width: 80, terminal_height: 24 }, 'screen');
  made.last().sent.length = 0;
  return made;
}

describe('start', () => {
  test('item_16 the size goes with the request for the shell', () => {
    const { last } = channel('new', { rows: 33, cols: 177 });
    last().opens();
    expect(last().types).toEqual(['hello', 'new']);
    expect(props(last().sent[1])).toEqual({ epoch: 1, terminal_width: 177, terminal_height: 33 });
    expect(last().sent[1]?.sid).toBe(SID);
  });

  test('item_16 a size that changed while the shell started is told right after', () => {
    const { channel: terminal, last } = channel('new', { rows: 24, cols: 80 });
    last().opens();
    terminal.resize({ rows: 50, cols: 200 });
    expect(last().types).toEqual(['hello', 'new', 'resize']);
    expect(props(last().sent[2])).toEqual({ terminal_width: 200, terminal_height: 50 });
  });

  test('what is typed before the shell is there arrives in order once it is', () => {
    const { channel: terminal, last } = channel();
    terminal.input(bytes('l'));
    last().opens();
    terminal.input(bytes('s\r'));
    expect(last().typed).toBe('');
    last().says('state', { offset: 0, input: 0, epoch: 1 });
    expect(last().typed).toBe('ls\r');
  });

  test('a refusal ends with the device’s words, and names the sessions that hold the place', () => {
    const { state, last } = channel();
    last().opens();
    last().says('new', { status: 2, detached: ['a', 'b'] }, 'user has too many open sessions');
    expect(state()).toMatchObject({
      phase: 'ended',
      end: { kind: 'refused', text: 'user has too many open sessions', detached: ['a', 'b'] },
    });
    expect(last().closedWith).toBe(1000);
  });

  test('a server that speaks something else is no server for this page', () => {
    const { state, last } = channel();
    last().opens({ chosen: '' });
    expect(state().end).toEqual({ kind: 'badMessage' });
  });
});

describe('the link', () => {
  test('is dialled again whenever it breaks, within ten seconds and not all at once', () => {
    const { sockets, last, state } = live();
    const waits: number[] = [];
    for (let time = 0; time < 8; time++) {
      last().breaks();
      const { link } = state();
      if (link.kind === 'waiting') waits.push(link.until - Date.now());
      const before = sockets.length;
      vi.advanceTimersByTime(10_000);
      expect(sockets.length).toBe(before + 1);
    }
    expect(waits[0]).toBe(750);
    expect(waits.every((wait, at) => wait <= 10_000 && wait >= (waits[at - 1] ?? 0))).toBe(true);
    expect(state().phase).toBe('live');
  });

  test('goes on where it was: output at the next byte, input at the first that was not applied', () => {
    const { channel: terminal, screen, last } = live();
    last().says('shell', { status: 1, offset: 0, time_ms: 1 }, '0123456789');
    screen.drawNext();
    terminal.input(bytes('abc'));
    last().breaks();
    terminal.input(bytes('def'));
    vi.advanceTimersByTime(1000);
    last().opens();
    expect(props(last().of('resume')[0])).toMatchObject({ offset: 10, epoch: 1 });
    last().says('state', { offset: 10, input: 2, epoch: 1 });
    expect(last().typed).toBe('cdef');
  });

  test('is dialled at once when the network is back', () => {
    const { channel: terminal, sockets, last } = live();
    last().breaks();
    terminal.wake();
    expect(sockets).toHaveLength(2);
  });

  test('a dial that is never answered is given up', () => {
    const { sockets, state } = channel();
    vi.advanceTimersByTime(15_000);
    expect(state().failures).toBe(1);
    vi.advanceTimersByTime(1000);
    expect(sockets).toHaveLength(2);
    expect(sockets[0]?.isClosed).toBe(true);
  });

  test('a ping after twenty silent seconds, given up after sixty', () => {
    const { last, state, sockets } = live();
    vi.advanceTimersByTime(20_000);
    expect(last().types).toEqual(['ping']);
    vi.advanceTimersByTime(40_000);
    expect(state().link.kind).toBe('waiting');
    vi.advanceTimersByTime(1000);
    expect(sockets).toHaveLength(2);
  });

  test('a broken rule is told, and ends the link only', () => {
    const { last, state } = live();
    last().says('shell', { status: 1, offset: 7 }, 'a hole');
    expect(last().types).toEqual(['error']);
    expect(state()).toMatchObject({ phase: 'live', link: { kind: 'waiting' } });
  });

  test('bytes that are no message end the link only, a type nobody knows does not', () => {
    const { last, state } = live();
    last().says('something-new');
    expect(state().link.kind).toBe('up');
    last().delivers(Uint8Array.of(0xc1));
    expect(state()).toMatchObject({ phase: 'live', link: { kind: 'waiting' } });
  });

  test('being sent away for good is an end', () => {
    const { last, state, sockets } = live();
    last().breaks(1008, 'not allowed any more');
    expect(state().end).toEqual({ kind: 'linkLost', text: 'not allowed any more' });
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });

  test('leaving the page closes it and stops nothing', () => {
    const { channel: terminal, last } = live();
    terminal.dispose();
    expect(last().types).toEqual([]);
    expect(last().closedWith).toBe(1000);
  });
});

describe('output', () => {
  test('is acknowledged when it is drawn, not when it arrives', () => {
    const { last, screen } = live();
    last().says('shell', { status: 1, offset: 0, time_ms: 1 }, 'hello');
    expect(last().types).toEqual([]);
    screen.drawNext();
    expect(last().types).toEqual(['ack']);
    expect(props(last().sent[0])).toEqual({ offset: 5 });
  });

  test('what arrives is reported though nothing is drawn: a stalled page stalls only itself', () => {
    const { last } = live();
    last().says('shell', { status: 1, offset: 0 }, new Uint8Array(20_000));
    expect(last().types).toEqual(['received']);
  });

  test('a screen begins anew; what was drawn before it says nothing about what comes after', () => {
    const { last, screen } = live();
    last().says('shell', { status: 1, offset: 0 }, 'lost in a stalled tab');
    last().says('screen', { offset: 9000, terminal_width: 90, terminal_height: 20 }, 'the screen');
    expect(screen.sizes.at(-1)).toEqual({ cols: 90, rows: 20 });
    screen.drawNext();
    expect(last().types).toEqual([]);
    last().says('shell', { status: 1, offset: 9000 }, '!');
    screen.drawNext(2);
    expect(props(last().of('ack')[0])).toEqual({ offset: 9001 });
  });

  test('what was made before the attach is shown and not answered', () => {
    const { last, screen } = live();
    last().breaks();
    vi.advanceTimersByTime(1000);
    last().opens();
    last().says('state', { offset: 0, input: 0, epoch: 1 });
    last().says('device', { connected: true, since: 1, lossless: true, offset: 4 });
    last().says('shell', { status: 1, offset: 0 }, 'old.new');
    expect(screen.pending.map(({ text: shown, live: isLive }) => [shown, isLive])).toEqual([
      ['old.', false],
      ['new', true],
    ]);
  });

  test('a size counts from where the output says so', () => {
    const { last, screen, state } = live();
    last().says('resize', { offset: 0, time_ms: 0, terminal_width: 100, terminal_height: 40 });
    expect(screen.sizes).toEqual([{ cols: 100, rows: 40 }]);
    expect(state().size).toEqual({ cols: 100, rows: 40 });
  });
});

describe('input', () => {
  test('item_15 keys go as a binary body with the session’s id', () => {
    const { channel: terminal, last } = live();
    terminal.input(bytes('ls\r'));
    expect(last().sent[0]).toMatchObject({ proto: 1, type: 'shell', sid: SID });
    expect(text(last().sent[0])).toBe('ls\r');
  });

  test('a large paste goes whole, in pieces, as the shell takes it', () => {
    const { channel: terminal, last } = live();
    const paste = '0123456789abcdef'.repeat(20_000);
    terminal.input(bytes(paste));
    for (let applied = 0; applied < paste.length; ) {
      expect(last().typed.length).toBeLessThanOrEqual(applied + 65_536);
      applied = last().typed.length;
      last().says('ack', { offset: applied });
    }
    expect(last().typed).toBe(paste);
    expect(
      Math.max(
        ...last()
          .of('shell')
          .map(({ body }) => body.length),
      ),
    ).toBeLessThanOrEqual(32_768);
  });

  test('Ctrl-C behind a paste throws the rest of it away, and is said out of turn', () => {
    const { channel: terminal, last, state } = live();
    terminal.input(new Uint8Array(MIB).fill(97));
    terminal.input(Uint8Array.of(3));
    expect(last().types.at(-1)).toBe('interrupt');
    // What the link keeps comes before it; the rest of the paste is gone.
    expect(props(last().of('interrupt')[0])).toEqual({ offset: 128 * 1024, epoch: 1 });
    expect(state().notices).toEqual([{ kind: 'interrupted', bytes: MIB - 128 * 1024 }]);
    last().says('ack', { offset: 128 * 1024 + 1, dropped: 128 * 1024 });
    terminal.input(bytes('ls\r'));
    expect(text(last().sent.at(-1))).toBe('ls\r');
  });

  test('more than any shell takes is refused', () => {
    const { channel: terminal, state } = live();
    terminal.input(new Uint8Array(9 * MIB));
    expect(state().notices).toEqual([{ kind: 'typingRefused', why: 'tooMuch' }]);
  });

  test('keys are refused while the device is known to be away, and taken when it is back', () => {
    const { channel: terminal, last, state } = live();
    last().says('device', { connected: false, since: 5000, lossless: true });
    terminal.input(bytes('rm -rf x\r'));
    expect(last().typed).toBe('');
    expect(state().notices).toEqual([{ kind: 'typingRefused', why: 'away' }]);
    last().says('device', { connected: true, since: 9000, lossless: true });
    expect(state().notices).toEqual([{ kind: 'deviceBack', awaySince: 5000 }]);
    terminal.input(bytes('ls\r'));
    expect(last().typed).toBe('ls\r');
  });

  test('what waited for more than a minute is asked about, and sent if it is still meant', () => {
    const { channel: terminal, last, state } = live();
    last().breaks();
    terminal.input(bytes('make install\r'));
    vi.advanceTimersByTime(61_000);
    last().opens();
    last().says('state', { offset: 0, input: 0, epoch: 1 });
    expect(last().typed).toBe('');
    expect(state().held).toBe(13);
    terminal.releaseHeld();
    expect(last().typed).toBe('make install\r');
    expect(state().held).toBe(0);
  });

  test('or thrown away with a new epoch', () => {
    const { channel: terminal, last, state } = live();
    last().breaks();
    terminal.input(bytes('make install\r'));
    vi.advanceTimersByTime(61_000);
    last().opens();
    last().says('state', { offset: 0, input: 0, epoch: 1 });
    terminal.discardHeld();
    expect(props(last().of('epoch')[0])).toEqual({ epoch: 2 });
    last().says('epoch', { epoch: 2, offset: 0 });
    expect(last().typed).toBe('');
    expect(state()).toMatchObject({ held: 0, control: true, asking: false, notices: [] });
  });
});

describe('control', () => {
  test('a watcher types nothing, says no size, and is told why', () => {
    const { channel: terminal, last, state } = watching();
    terminal.input(bytes('x'));
    terminal.report(bytes('\x1b[I'));
    terminal.resize({ rows: 10, cols: 10 });
    expect(last().types).toEqual([]);
    expect(state().notices).toEqual([{ kind: 'typingRefused', why: 'watching' }]);
  });

  test('control is asked for, and given by the server alone', () => {
    const { channel: terminal, last, state } = watching();
    terminal.takeControl();
    expect(props(last().of('epoch')[0])).toEqual({ epoch: 4 });
    expect(state()).toMatchObject({ control: false, asking: true });
    last().says('epoch', { epoch: 4, offset: 70 });
    expect(state()).toMatchObject({ control: true, asking: false });
    // Now this page's size counts.
    expect(props(last().of('resize')[0])).toEqual({ terminal_width: 120, terminal_height: 30 });
    terminal.input(bytes('x'));
    expect(props(last().of('shell')[0])).toEqual({ offset: 70, epoch: 4 });
  });

  test('a refusal is shown', () => {
    const { channel: terminal, last, state } = watching();
    terminal.takeControl();
    last().says('notice', { kind: 'refused' }, 'you may not');
    expect(state()).toMatchObject({
      asking: false,
      notices: [{ kind: 'controlRefused', text: 'you may not' }],
    });
  });

  test('whoever loses it hears by whom, and what did not arrive', () => {
    const { channel: terminal, last, state } = live();
    terminal.input(bytes('hello'));
    last().says('epoch', { epoch: 2, offset: 3, control: false });
    last().says('notice', { kind: 'taken_over', by: 'anna@example.org', unarrived: 2 });
    expect(state()).toMatchObject({
      control: false,
      notices: [{ kind: 'takenOver', by: 'anna@example.org', unarrived: 2 }],
    });
  });

  test('taking over asks as soon as the session is there', () => {
    const { last } = channel('takeOver');
    last().opens();
    last().says('state', { offset: 9, input: 0, epoch: 6, control: false });
    expect(props(last().of('epoch')[0])).toEqual({ epoch: 7 });
  });

  test('resuming asks for nothing: who is in control then is the server’s to say', () => {
    const { last } = channel('resume');
    last().opens();
    last().says('state', { offset: 9, input: 0, epoch: 6, control: false });
    last().says('presence', { viewers: [] });
    expect(last().types).toEqual(['hello', 'resume']);
  });

  test('is handed over to one who is there', () => {
    const { channel: terminal, last, state } = live();
    last().says('presence', {
      viewers: [
        new Map<string, string | number | boolean>([
          ['id', 7],
          ['name', 'anna@example.org'],
          ['control', false],
          ['self', false],
          ['since', 5],
        ]),
      ],
    });
    const [anna] = state().viewers;
    expect(anna).toEqual({
      id: 7,
      name: 'anna@example.org',
      control: false,
      self: false,
      since: 5,
    });
    if (anna) terminal.handOver(anna);
    expect(props(last().of('hand_over')[0])).toEqual({ to: 7 });
    last().says('epoch', { epoch: 2, offset: 0, control: false });
    expect(state().notices).toEqual([]);
  });
});

describe('notices', () => {
  test('a warning for want of typing goes away with typing', () => {
    const { channel: terminal, last, state } = live();
    last().says('notice', { kind: 'idle', ends_at: 60_000 });
    expect(state().notices).toEqual([{ kind: 'idle', endsAt: 60_000 }]);
    terminal.input(bytes('x'));
    expect(state().notices).toEqual([]);
  });

  test('holes add up, and one nobody can measure stays one', () => {
    const { last, state } = live();
    last().says('notice', { kind: 'gap', from: 10, to: 30 });
    last().says('notice', { kind: 'gap', from: 50, to: 55 });
    expect(state().notices).toEqual([{ kind: 'gap', bytes: 25 }]);
    last().says('notice', { kind: 'gap', from: 60 });
    expect(state().notices).toEqual([{ kind: 'gap', bytes: undefined }]);
  });

  test('one of a kind this page does not know is shown in the server’s words', () => {
    const { last, state } = live();
    last().says('notice', { kind: 'weather' }, 'rain is coming');
    expect(state().notices).toEqual([{ kind: 'other', text: 'rain is coming' }]);
  });
});

describe('end', () => {
  test('the shell’s own end is told with its status and acknowledged', () => {
    const { last, state } = live();
    last().says('shell', { status: 1, offset: 0 }, 'bye');
    last().says('stop', { status: 1, reason: 'exited', exit_status: 3, offset: 3 });
    expect(state()).toMatchObject({
      phase: 'ended',
      end: { kind: 'ended', reason: 'exited', exitStatus: 3, byMe: false },
    });
    expect(props(last().of('ack')[0])).toEqual({ offset: 3, end: true });
    expect(last().closedWith).toBe(1000);
  });

  test('ending it here is told, and over when the shell is', () => {
    const { channel: terminal, last, state } = live();
    terminal.stop();
    expect(last().types).toEqual(['stop']);
    expect(state()).toMatchObject({ phase: 'live', ending: true });
    last().says('stop', { status: 1, reason: 'stopped', offset: 0 });
    expect(state().end).toMatchObject({ kind: 'ended', byMe: true });
  });

  test('ending it while the device is away is the server’s to carry out', () => {
    const { channel: terminal, last, state } = live();
    last().says('device', { connected: false, since: 1, lossless: true });
    terminal.stop();
    expect(last().types).toEqual(['stop']);
    expect(state().end).toEqual({ kind: 'endsLater' });
  });

  test('ending it while the server is away is said when it is back', () => {
    const { channel: terminal, last } = live();
    last().breaks();
    terminal.stop();
    vi.advanceTimersByTime(1000);
    last().opens();
    expect(last().types).toEqual(['hello', 'resume', 'stop']);
  });

  test('a session that is not there any more is told so', () => {
    const { last, state } = channel('resume');
    last().opens();
    last().says('unknown');
    expect(state().end).toEqual({ kind: 'sessionGone' });
  });

  test('nothing is sent after the end', () => {
    const { channel: terminal, last } = live();
    last().says('stop', { status: 1, offset: 0 });
    last().sent.length = 0;
    terminal.input(bytes('x'));
    terminal.resize({ rows: 1, cols: 1 });
    terminal.stop();
    expect(last().types).toEqual([]);
  });
});

test('listeners hear every change until they leave', () => {
  const { channel: terminal, last } = live();
  const heard = vi.fn();
  const leave = terminal.subscribe(heard);
  last().says('notice', { kind: 'idle', ends_at: 1 });
  expect(heard).toHaveBeenCalledTimes(1);
  leave();
  last().says('notice', { kind: 'idle_over' });
  expect(heard).toHaveBeenCalledTimes(1);
});
