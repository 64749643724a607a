/** Holds the page's end of `longwire.v1` to the traces that the Rust crate is held to. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LinkError } from '../../src/link/error.ts';
import type { LinkEvent } from '../../src/link/events.ts';
import { UserEnd } from '../../src/link/userEnd.ts';
import { decode, encode, type Message } from '../../src/protocol/message.ts';

interface Step {
  call?: string;
  send?: string;
  receive?: string;
  event?: string;
  gives_up?: string;
  [field: string]: unknown;
}

interface Trace {
  name: string;
  about: string;
  steps: Step[];
}

const file = new URL('../../../crates/link/tests/golden/client.json', import.meta.url);
const traces: Trace[] = JSON.parse(readFileSync(file, 'utf8'));

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: unknown) => Uint8Array.from(Buffer.from(String(text), 'hex'));

/** A message as one that is compared: its properties in any order. */
function comparable({ proto, type, sid, props, body }: Message) {
  return { proto, type, sid, props: Object.fromEntries(props), body: hex(body) };
}

/** An event in the words of the traces. */
function told(event: LinkEvent): Step {
  switch (event.event) {
    case 'output':
      return {
        event: 'output',
        sid: event.sid,
        offset: event.offset,
        time_ms: event.timeMs,
        bytes: hex(event.bytes),
      };
    case 'resized':
      return {
        event: 'resized',
        sid: event.sid,
        offset: event.offset,
        time_ms: event.timeMs,
        size: event.size,
      };
    case 'screen':
      return {
        event: 'screen',
        sid: event.sid,
        offset: event.offset,
        size: event.size ?? null,
        bytes: hex(event.bytes),
      };
    case 'refused':
      return { event: 'refused', sid: event.sid, why: event.why };
    case 'inputHeld':
      return { event: 'input_held', sid: event.sid, bytes: event.bytes };
    case 'ended': {
      const { reason = null, exitStatus = null, text } = event.end;
      const stop = { reason, exit_status: exitStatus, text };
      return { event: 'ended', sid: event.sid, offset: event.offset, stop };
    }
    case 'peerError':
      return { event: 'peer_error', text: event.text };
    case 'other':
      return { event: 'other', sid: event.message.sid, typ: event.message.type };
    default:
      return { ...event };
  }
}

class Replay {
  private readonly end = new UserEnd('page-1', 512 * 1024);
  private generation = 0;
  private now = 0;
  private error: LinkError | undefined;

  step(step: Step): void {
    if (step.call !== undefined) {
      this.quiet();
      this.now = Number(step.at_ms ?? 0);
      this.call(step, String(step.sid));
    } else if (step.receive !== undefined) {
      expect(this.end.event()).toBeUndefined();
      try {
        this.end.receive(this.generation, decode(unhex(step.receive)), this.now);
      } catch (error) {
        if (!(error instanceof LinkError)) throw error;
        this.error = error;
      }
    } else if (step.send !== undefined) {
      const said = this.error ? this.error.toMessage() : this.end.transmit();
      expect(said).toBeDefined();
      // What is said is read back from the wire, so that its form counts too.
      if (said) {
        expect(comparable(decode(encode(said)))).toEqual(comparable(decode(unhex(step.send))));
      }
    } else if (step.event !== undefined) {
      const event = this.end.event();
      expect(event && told(event)).toEqual(step);
    } else {
      expect(this.error?.message).toBe(step.gives_up);
    }
  }

  /** Nothing more to say or to report. */
  quiet(): void {
    expect(this.end.event()).toBeUndefined();
    expect(this.end.transmit()).toBeUndefined();
  }

  private call(step: Step, sid: string): void {
    const { end, now } = this;
    const size = { rows: Number(step.rows), cols: Number(step.cols) };
    switch (step.call) {
      case 'connected':
        this.generation = end.connected(now);
        break;
      case 'disconnected':
        end.disconnected(this.generation);
        break;
      case 'tick': {
        const tick = () => end.tick(now);
        if (step.alive) tick();
        else expect(tick).toThrow(LinkError);
        break;
      }
      case 'open':
        expect(end.open(sid, Number(step.epoch), size)).toBe(true);
        break;
      case 'resume':
        expect(step.have).toBeNull();
        expect(end.resume(sid, undefined, Number(step.epoch))).toBe(true);
        break;
      case 'input':
        expect(end.input(sid, unhex(step.bytes), now) === 'taken').toBe(step.taken);
        break;
      case 'recorded':
        end.recorded(sid, Number(step.offset));
        break;
      case 'resize':
        end.resize(sid, size);
        break;
      case 'want_control':
        end.wantControl(sid);
        break;
      case 'stop':
        end.stop(sid);
        break;
      case 'end_recorded':
        end.endRecorded(sid);
        break;
      default:
        throw new Error(`no such call: ${step.call}`);
    }
  }
}

test('there are traces', () => expect(traces.length).toBeGreaterThanOrEqual(14));

describe('a page does as the traces say', () => {
  test.each(traces)('$name: $about', ({ steps }) => {
    const replay = new Replay();
    for (const step of steps) replay.step(step);
    replay.quiet();
  });
});
