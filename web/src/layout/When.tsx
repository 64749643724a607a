import { Tooltip } from '@mantine/core';
import { useSyncExternalStore } from 'react';

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

const STEPS: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** "3 minutes ago"; times less than ten seconds away are "just now", also from a clock ahead of ours. */
export function relativeText(at: number, now: number): string {
  const seconds = (at - now) / 1000;
  if (Math.abs(seconds) < 10) return 'just now';
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(Math.round(seconds), 'second');
}

/** "8 minutes", "3 days": how long something has lasted. */
export function durationText(from: number, now: number): string {
  const seconds = Math.max(0, (now - from) / 1000);
  const [unit, size] = STEPS.find(([, each]) => seconds >= each) ?? ['second', 1];
  const count = Math.round(seconds / size);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

const TICK_MS = 10_000;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const watchers = new Set<() => void>();

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of watchers) each();
  }, TICK_MS);
  return () => {
    watchers.delete(watcher);
    if (watchers.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** A time as people say it, with the exact one on hover. */
export function When({ at }: { at: string }) {
  const current = useSyncExternalStore(watch, () => now);
  const time = Date.parse(at);
  if (Number.isNaN(time)) return <span>unknown</span>;
  return (
    <Tooltip label={absolute.format(time)}>
      <time dateTime={at}>{relativeText(time, Math.max(current, time))}</time>
    </Tooltip>
  );
}

/** How long something has lasted since `from`, with the exact start on hover. */
export function HowLong({ from }: { from: string }) {
  const current = useSyncExternalStore(watch, () => now);
  const time = Date.parse(from);
  if (Number.isNaN(time)) return null;
  return (
    <Tooltip label={`since ${absolute.format(time)}`}>
      <time dateTime={from}>{durationText(time, Math.max(current, time))}</time>
    </Tooltip>
  );
}
