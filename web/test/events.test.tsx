// @vitest-environment happy-dom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { useLiveEvents, useLiveState } from '../src/api/events.ts';
import * as queries from '../src/api/queries.ts';
import { device } from './devices.ts';

class FakeEventSource extends EventTarget {
  static readonly CLOSED = 2;
  static readonly made: FakeEventSource[] = [];
  readyState = 0;
  closed = false;

  constructor(readonly url: string) {
    super();
    FakeEventSource.made.push(this);
  }

  close(): void {
    this.closed = true;
  }

  tells(type: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('EventSource', FakeEventSource);
  FakeEventSource.made.length = 0;
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const filter = { status: '', q: '', page: 1 } as const;

function follow() {
  const client = new QueryClient();
  client.setQueryData(queries.deviceList(filter).queryKey, {
    devices: [device({ id: 'a' }), device({ id: 'b' })],
    total: 2,
  });
  const invalidated = vi.spyOn(client, 'invalidateQueries');
  const hook = renderHook(
    () => {
      useLiveEvents();
      return useLiveState();
    },
    {
      wrapper: (props) => (
        <QueryClientProvider client={client}>{props.children}</QueryClientProvider>
      ),
    },
  );
  const [source] = FakeEventSource.made;
  if (!source) throw new Error('no event stream was opened');
  return { client, hook, source, invalidated };
}

test('a changed device shows at once, in lists and on its page', () => {
  const { client, source } = follow();
  act(() => source.tells('device', device({ id: 'b', connected: true })));
  expect(client.getQueryData(queries.device('b').queryKey)?.connected).toBe(true);
  const list = client.getQueryData(queries.deviceList(filter).queryKey);
  expect(list?.devices.map(({ connected }) => connected)).toEqual([false, true]);
});

test('many changes ask for lists and counts once', () => {
  const { source, invalidated } = follow();
  act(() => {
    for (let at = 0; at < 100; at++) source.tells('device', device({ id: `${at}` }));
  });
  expect(invalidated).not.toHaveBeenCalled();
  act(() => void vi.advanceTimersByTime(1000));
  expect(invalidated).toHaveBeenCalledTimes(2);
});

test('a lost stream is known, and after it everything is asked again', () => {
  const { hook, source, invalidated } = follow();
  act(() => void source.dispatchEvent(new Event('open')));
  expect(hook.result.current).toBe('live');
  expect(invalidated).not.toHaveBeenCalled();
  act(() => void source.dispatchEvent(new Event('error')));
  expect(hook.result.current).toBe('lost');
  act(() => void source.dispatchEvent(new Event('open')));
  act(() => source.tells('resync', {}));
  expect(hook.result.current).toBe('live');
  expect(invalidated).toHaveBeenCalledTimes(1);
});

test('a removed device is asked for again, and so are the lists', () => {
  const { source, invalidated } = follow();
  act(() => source.tells('removed', { id: 'a' }));
  expect(invalidated).toHaveBeenCalledWith({ queryKey: queries.device('a').queryKey });
  act(() => void vi.advanceTimersByTime(1000));
  expect(invalidated).toHaveBeenCalledWith({ queryKey: queries.deviceLists });
});

test('the stream is closed when nobody follows any more', () => {
  const { hook, source } = follow();
  hook.unmount();
  expect(source.closed).toBe(true);
});
