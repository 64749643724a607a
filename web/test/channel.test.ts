import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { INPUT_BODY_MAX } from '../src/protocol/shell.ts';
import { Channel } from '../src/terminal/channel.ts';
import { FakeScreen, FakeSocket, props, text } from './fakes.ts';

const bytes = (from: string) => new TextEncoder().encode(from);

function channel(size = { rows: 30, cols: 120 }) {
  let socket = new FakeSocket('');
  const screen = new FakeScreen();
  const opened = new Channel(
    (subprotocol) => {
      socket = new FakeSocket(subprotocol);
      return socket;
    },
    screen,
    size,
  );
  opened.connect();
  return { channel: opened, socket, screen };
}

function live(size?: { rows: number; cols: number }) {
  const made = channel(size);
  made.socket.opens();
  made.socket.says('new', { props: { status: 1 }, body: 'Shell started' });
  made.socket.sent.length = 0;
  return made;
}

describe('start', () => {
  test('item_16 the size goes with the request for the shell', () => {
    const { socket } = channel({ rows: 33, cols: 177 });
    socket.opens();
    expect(socket.types).toEqual(['new']);
    expect(props(socket.sent[0])).toEqual({ terminal_width: 177, terminal_height: 33 });
    expect(socket.sent[0]?.sid).toBe('');
  });

  test('item_16 a size that changed while the shell started is told right after', () => {
    const { channel: terminal, socket } = channel({ rows: 24, cols: 80 });
    socket.opens();
    terminal.resize({ rows: 50, cols: 200 });
    expect(socket.types).toEqual(['new']);
    socket.says('new', { sid: 'S9', props: { status: 1 } });
    expect(socket.types).toEqual(['new', 'resize']);
    expect(props(socket.sent[1])).toEqual({ terminal_width: 200, terminal_height: 50 });
    expect(socket.sent[1]?.sid).toBe('S9');
  });

  test('a size that did not change is not told again', () => {
    const { channel: terminal, socket } = live();
    terminal.resize({ rows: 30, cols: 120 });
    expect(socket.types).toEqual([]);
  });

  test('what is typed before the shell is there arrives in order once it is', () => {
    const { channel: terminal, socket } = channel();
    terminal.input(bytes('l'));
    socket.opens();
    terminal.input(bytes('s\r'));
    expect(socket.types).toEqual(['new']);
    socket.says('new', { props: { status: 1 } });
    expect(socket.sent.slice(1).map(text)).toEqual(['l', 's\r']);
  });

  test('output before the answer is drawn', () => {
    const { socket, screen } = channel();
    socket.opens();
    socket.says('shell', { props: { status: 1, offset: 0 }, body: '$ ' });
    expect(screen.pending).toHaveLength(1);
  });

  test('a refusal ends with the device’s words', () => {
    const { channel: terminal, socket } = channel();
    socket.opens();
    socket.says('new', { props: { status: 2 }, body: 'user has too many open sessions' });
    expect(terminal.getState()).toEqual({
      phase: 'ended',
      end: { kind: 'refused', text: 'user has too many open sessions' },
    });
    expect(socket.closedWith).toBe(1000);
  });

  test('a websocket that never opens is an end of its own', () => {
    const { channel: terminal, socket } = channel();
    socket.breaks(1006);
    expect(terminal.getState()).toMatchObject({ end: { kind: 'notConnected' } });
  });
});

describe('input', () => {
  test('item_15 keys go as a binary body with the session’s id', () => {
    const { channel: terminal, socket } = live();
    terminal.input(bytes('ls\r'));
    expect(socket.sent[0]).toMatchObject({ proto: 1, type: 'shell', sid: 'S1' });
    expect(text(socket.sent[0])).toBe('ls\r');
  });

  test('a large paste goes whole, in pieces', () => {
    const { channel: terminal, socket } = live();
    const paste = bytes('0123456789abcdef'.repeat(20_000));
    terminal.input(paste);
    expect(socket.sent.length).toBe(Math.ceil(paste.length / INPUT_BODY_MAX));
    expect(Math.max(...socket.sent.map((sent) => sent.body.length))).toBe(INPUT_BODY_MAX);
    expect(Buffer.concat(socket.sent.map((sent) => sent.body)).equals(paste)).toBe(true);
  });

  test('nothing is sent after the end', () => {
    const { channel: terminal, socket } = live();
    socket.says('stop', { props: { status: 2 } });
    socket.sent.length = 0;
    terminal.input(bytes('x'));
    terminal.resize({ rows: 1, cols: 1 });
    terminal.stop();
    expect(socket.types).toEqual([]);
  });
});

describe('flow control', () => {
  test('longwire.v1 is offered', () => {
    expect(channel().socket.offered).toBe('longwire.v1');
  });

  test('output is acknowledged when it is drawn, not when it arrives', () => {
    const { socket, screen } = live();
    socket.says('shell', { props: { status: 1, offset: 0 }, body: 'hello' });
    expect(socket.types).toEqual([]);
    screen.drawNext();
    expect(socket.types).toEqual(['ack']);
    expect(props(socket.sent[0])).toEqual({ offset: 5 });
  });

  test('a server of the plain protocol gets no acknowledgements', () => {
    const { socket, screen } = channel();
    socket.opens('');
    socket.says('new', { props: { status: 1 } });
    socket.says('shell', { props: { status: 1 }, body: 'hello' });
    screen.drawNext();
    expect(socket.types).toEqual(['new']);
  });

  test('the key of an interrupt passes any amount of waiting output', () => {
    const { channel: terminal, socket } = live();
    for (let at = 0; at < 16; at++) {
      socket.says('shell', {
        props: { status: 1, offset: at * 32_768 },
        body: new Uint8Array(32_768),
      });
    }
    terminal.input(Uint8Array.of(3));
    expect(socket.types).toEqual(['shell']);
    expect(socket.sent[0]?.body).toEqual(Uint8Array.of(3));
  });
});

describe('life and end', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('a ping is answered', () => {
    const { socket } = live();
    socket.says('ping', { props: { status: 3, timeout: 65 } });
    expect(socket.types).toEqual(['pong']);
  });

  test('silence longer than the ping promised is an end; a sign of life is none', () => {
    const { channel: terminal, socket } = live();
    socket.says('ping', { props: { status: 3, timeout: 65 } });
    vi.advanceTimersByTime(60_000);
    socket.says('ping', { props: { status: 3, timeout: 65 } });
    vi.advanceTimersByTime(79_000);
    expect(terminal.getState().phase).toBe('live');
    vi.advanceTimersByTime(2_000);
    expect(terminal.getState()).toMatchObject({ end: { kind: 'silent' } });
  });

  test('the shell’s own end is told with its status and answered once', () => {
    const { channel: terminal, socket } = live();
    socket.says('stop', { props: { status: 2, reason: 'exited', exit_status: 3 } });
    expect(terminal.getState()).toEqual({
      phase: 'ended',
      end: { kind: 'ended', reason: 'exited', exitStatus: 3, text: '' },
    });
    expect(socket.types).toEqual(['stop']);
    expect(socket.closedWith).toBe(1000);
    socket.says('stop', { props: { status: 1 } });
    expect(socket.types).toEqual(['stop']);
  });

  test('ending it here stops the shell and closes cleanly', () => {
    const { channel: terminal, socket } = live();
    terminal.stop();
    expect(socket.types).toEqual(['stop']);
    expect(socket.closedWith).toBe(1000);
    expect(terminal.getState()).toMatchObject({ end: { kind: 'stoppedHere' } });
  });

  test('a broken link is told with the server’s reason', () => {
    const { channel: terminal, socket } = live();
    socket.breaks(1013, 'server restarts');
    expect(terminal.getState()).toMatchObject({
      end: { kind: 'linkLost', code: 1013, text: 'server restarts' },
    });
  });

  test('bytes that are no message end the session, a type nobody knows does not', () => {
    const { channel: terminal, socket } = live();
    socket.says('later', { props: { depth: 3 } });
    expect(terminal.getState().phase).toBe('live');
    socket.delivers(Uint8Array.of(0xc1));
    expect(terminal.getState()).toMatchObject({ end: { kind: 'badMessage' } });
  });

  test('listeners hear every change until they leave', () => {
    const { channel: terminal, socket } = channel();
    const heard: string[] = [];
    const leave = terminal.subscribe(() => heard.push(terminal.getState().phase));
    socket.opens();
    socket.says('new', { props: { status: 1 } });
    leave();
    terminal.stop();
    expect(heard).toEqual(['starting', 'live']);
  });
});
