/** The page's end against a model server, over links that are cut at any moment; every run from a seed. */
import { expect, test } from 'vitest';
import { UserEnd } from '../../src/link/userEnd.ts';
import { decode, encode } from '../../src/protocol/message.ts';
import { INPUT_WINDOW, Leg, outputByte, Random, Truth } from './model.ts';

const SID = '4dc3a1b6-53a8-4a5e-9f6f-2d2d2a9f1c11';
const VIEWERS = 3;
const STEPS = 6000;
const WINDOW = 5000;

/** One page: what it saw, what it typed. */
class Page {
  readonly end: UserEnd;
  readonly typed: { epoch: number; offset: number; bytes: Uint8Array }[] = [];
  leg: Leg | undefined;
  toPage: Uint8Array[] = [];
  toServer: Uint8Array[] = [];
  seen = 0;
  epoch = 0;
  /** The epoch in which this page last typed, and the offset after what it typed. */
  lastTyped: { epoch: number; end: number } | undefined;
  bytes = 0;
  screens = 0;
  started = false;
  ended = false;
  private generation = 0;

  constructor(
    readonly id: number,
    private readonly truth: Truth,
  ) {
    this.end = new UserEnd(`page-${id}`, WINDOW);
    if (id === 0) this.end.open(SID, 1, { rows: 24, cols: 80 });
    else this.end.resume(SID);
  }

  connect(leg: Leg, now: number): void {
    this.leg = leg;
    this.toPage = [];
    this.toServer = [];
    this.generation = this.end.connected(now);
  }

  cut(): void {
    this.leg = undefined;
    this.toPage = [];
    this.toServer = [];
    this.end.disconnected(this.generation);
  }

  hear(now: number): void {
    const bytes = this.toPage.shift();
    if (bytes) this.end.receive(this.generation, decode(bytes), now);
    this.attend();
  }

  attend(): void {
    for (let event = this.end.event(); event; event = this.end.event()) {
      switch (event.event) {
        case 'output': {
          const { offset, bytes } = event;
          expect(offset).toBe(this.seen);
          expect(bytes.findIndex((byte, at) => byte !== outputByte(offset + at))).toBe(-1);
          this.seen += bytes.length;
          this.bytes += bytes.length;
          break;
        }
        case 'screen':
          this.seen = event.offset;
          this.screens += 1;
          break;
        case 'started':
          expect(this.id).toBe(0);
          this.started = true;
          this.epoch = 1;
          break;
        case 'epoch': {
          expect(event.epoch).toBeGreaterThan(this.epoch);
          const last = this.lastTyped;
          const ended = last && this.truth.starts.get(last.epoch + 1);
          if (last?.epoch === this.epoch && ended !== undefined) {
            expect(event.unarrived).toBe(Math.max(0, last.end - ended));
          }
          this.epoch = event.epoch;
          break;
        }
        case 'ended':
          this.ended = true;
          this.end.endRecorded(SID);
          break;
        case 'hello':
        case 'resumed':
        case 'resized':
        case 'applied':
          break;
        default:
          throw new Error(`no business of a page: ${event.event}`);
      }
    }
  }

  type(random: Random, now: number): void {
    const length = 1 + random.below(random.onceIn(8) ? 4 * INPUT_WINDOW : 6);
    const bytes = Uint8Array.from({ length }, () => 97 + random.below(26));
    if (random.onceIn(3)) bytes[length - 1] = 3;
    const at = this.end.inputPosition(SID);
    if (this.end.input(SID, bytes, now) !== 'taken' || !at) return;
    expect(at.epoch).toBe(this.epoch);
    this.typed.push({ epoch: at.epoch, offset: at.end, bytes });
    this.lastTyped = { epoch: at.epoch, end: at.end + length };
  }
}

function run(seed: number) {
  const random = new Random(seed);
  const truth = new Truth(SID, 0);
  const pages = Array.from({ length: VIEWERS }, (_, id) => new Page(id, truth));
  let now = 0;
  let cuts = 0;
  let instance = 1;

  const legs = () => pages.flatMap(({ leg }) => (leg ? [leg] : []));
  const step = (page: Page, calm: boolean) => {
    now += random.below(40);
    if (!page.leg) {
      // A watcher has nothing to attach to before the shell has been asked for.
      if (page.id > 0 && !pages[0]?.started) return;
      if (calm || random.onceIn(4)) {
        page.connect(new Leg(truth, page.id, `server-${instance}`, !random.onceIn(3)), now);
      }
      return;
    }
    const { leg } = page;
    if (random.onceIn(2)) {
      const said = page.end.transmit();
      if (said) page.toServer.push(encode(said));
    }
    if (random.onceIn(2)) {
      const said = leg.transmit();
      if (said) page.toPage.push(said);
    }
    const heard = random.onceIn(2) ? page.toServer.shift() : undefined;
    if (heard) leg.receive(heard);
    if (random.onceIn(2)) page.hear(now);
    if (random.onceIn(3)) leg.apply(1 + random.below(40));
    if (calm || random.onceIn(20)) leg.learnInput();
    page.end.recorded(SID, page.seen - (calm ? 0 : random.below(200)));
    if (calm) return;
    truth.produced += random.onceIn(60) ? random.below(4000) : random.below(60);
    if (random.onceIn(3)) page.type(random, now);
    if (random.onceIn(300) && leg.isStated) {
      truth.beginEpoch(page.id);
      for (const each of legs()) each.epochBegan();
    }
    if (random.onceIn(80)) {
      cuts += 1;
      page.cut();
    }
    if (random.onceIn(900)) {
      instance += 1;
      for (const each of pages) each.cut();
    }
  };

  for (let count = 0; count < STEPS; count++) {
    step(pages[random.below(VIEWERS)] as Page, false);
  }
  // Everything comes to rest, then the shell ends.
  for (const ended of [false, true]) {
    truth.ended = ended;
    for (let count = 0; count < 6000; count++) step(pages[random.below(VIEWERS)] as Page, true);
  }

  for (const page of pages) {
    expect(page.seen).toBe(truth.produced);
    expect(page.ended).toBe(true);
  }
  checkInput(truth, pages);
  return {
    cuts,
    screens: pages.reduce((sum, page) => sum + page.screens, 0),
    bytes: pages.reduce((sum, page) => sum + page.bytes, 0),
    applied: truth.applied.length,
    dropped: truth.dropped,
    epochs: truth.epoch,
  };
}

/** Each byte that was applied is the one typed at that offset in that epoch; nothing came twice. */
function checkInput(truth: Truth, pages: Page[]): void {
  let dropped = 0;
  for (let epoch = 1; epoch <= truth.epoch; epoch++) {
    const start = truth.starts.get(epoch) ?? 0;
    const end = truth.starts.get(epoch + 1) ?? truth.applied.length;
    const typed: number[] = [];
    for (const page of pages) {
      for (const each of page.typed.filter((one) => one.epoch === epoch)) {
        expect(each.offset).toBe(start + typed.length);
        typed.push(...each.bytes);
      }
    }
    for (let offset = start; offset < end; offset++) {
      const byte = truth.applied[offset];
      if (byte === -1) dropped += 1;
      else if (byte !== typed[offset - start]) throw new Error(`another byte at ${offset}`);
    }
    // Whoever is in control in the end has lost nothing.
    if (epoch === truth.epoch) expect(end - start).toBe(typed.length);
  }
  expect(dropped).toBe(truth.dropped);
}

const SEEDS = Array.from({ length: 16 }, (_, at) => 1000 + at);

test.each(SEEDS)('byte for byte, whatever is cut: seed %i', (seed) => {
  const { cuts, bytes, applied } = run(seed);
  expect(cuts).toBeGreaterThan(30);
  expect(bytes).toBeGreaterThan(50_000);
  expect(applied).toBeGreaterThan(500);
});

test('the runs have met what they are for', () => {
  const runs = SEEDS.slice(0, 6).map(run);
  const sum = (pick: (one: (typeof runs)[number]) => number) =>
    runs.reduce((total, one) => total + pick(one), 0);
  expect(sum((one) => one.screens)).toBeGreaterThan(20);
  expect(sum((one) => one.dropped)).toBeGreaterThan(500);
  expect(sum((one) => one.epochs)).toBeGreaterThan(12);
});

test('a run is the same again from its seed', () => expect(run(7)).toEqual(run(7)));
