import { map, type Observer } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { useClock, type Clock } from '../clock.js';
import type { SourceOptions } from '../connection/define-source.js';
import type { Flow } from '../connection/flow.js';
import { isThenable } from '../connection/is-thenable.js';
import { callable, checkArgument, checkOptions } from '../connection/options.js';
import type { MessageHeaders } from '../message/headers.js';
import type { Message } from '../message/message.js';
import { laneDiagram, noteOf, plainDiagram, type Lane, type LaneGroup } from './lane-diagram.js';
import { testSchedulerClock } from './test-scheduler-clock.js';
import { testSource, type TestSource, type TestSourceEvent } from './test-source.js';

/** What {@link FlowTest.offer} takes besides its diagram. */
export interface OfferOptions<T> extends SourceOptions {
  /** The value behind each letter. Default: the letter. */
  readonly values?: Readonly<Record<string, T>>;
  /** Default `test`. */
  readonly topic?: string | ((value: T) => string);
  /** Default: none. */
  readonly key?: (value: T) => string | undefined;
  /** Default: none. */
  readonly headers?: (value: T) => MessageHeaders;
  /** What reports call the source. Default `offer`. */
  readonly connector?: string;
}

/**
 * What a flow test works with.
 *
 * @see flowTest
 */
export interface FlowTest {
  readonly scheduler: TestScheduler;
  /** Virtual time as a clock; it is also in force, so only code that wants one handed over needs it. */
  readonly clock: Clock;
  /** A source that is offered the letters of an RxJS marble diagram, one frame per character. */
  offer<T = string>(diagram: string, options?: OfferOptions<T>): Flow<T>;
  /** Subscribes the flow; each message goes to `sink`, or is acked. Compare what happened by `toBe`. */
  expectLanes<T>(flow: Flow<T>, sink?: Partial<Observer<Message<T>>>): LanesExpectation;
}

/** What {@link FlowTest.expectLanes} gives. */
export interface LanesExpectation {
  /**
   * One row per letter, one column per frame, and the row `credit`: `o` offered and waiting for credit, `d` delivered,
   * `a` acked, `i` delivered and acked in one frame, `s` acked with a note such as `filtered` (`S` in the frame of its
   * delivery), `n` requeued or handed back, `r` the same and delivered again in that frame, `x` dead or dropped, `-` time.
   */
  toBe(diagram: string): void;
}

/** Options of {@link flowTest}. */
export interface FlowTestOptions {
  /** How two texts are compared. Default: throws an Error that shows both. */
  readonly equal?: (actual: string, expected: string) => void;
}

/**
 * A test in virtual time that is drawn as lanes. It fails when a message is left unsettled or undelivered, and names the
 * last stage that saw it, without an assertion of its own; a flow that ends early is offered no more than it takes. Timers of RxJS operators run in the same time; promises do
 * not resolve in it, use `virtualClock` for those.
 *
 * @example
 * import { delay } from 'rxjs';
 * import { flowTest } from 'sluice/testing';
 * import { it } from 'vitest';
 * it('holds the window', flowTest(({ offer, expectLanes }) => {
 *   expectLanes(offer('abc|', { credit: 1 }).pipe(delay(2))).toBe(`
 *     a       d-a
 *     b        od-a
 *     c         o-d-a
 *     credit  0000001`);
 * }));
 * @throws Error when the flow failed, when something is left open, the lanes are others, or the test is asynchronous
 * @see testSource for marble diagrams of deliveries, acks and credit
 */
export function flowTest(test: (context: FlowTest) => void, options: FlowTestOptions = {}): () => void {
  checkArgument('flowTest', 'test', test, callable);
  checkOptions<FlowTestOptions>('flowTest', options, { equal: callable });
  const { equal = mustEqual } = options;
  // An asynchronous function is one that gives nothing, too, as far as types go.
  const body: (context: FlowTest) => unknown = test;
  return () => {
    const scheduler = new TestScheduler(() => undefined);
    const sources: Recorded[] = [];
    const expected: string[] = [];
    const errors: unknown[] = [];
    scheduler.run(() => {
      const clock = testSchedulerClock(scheduler);
      const restore = useClock(clock);
      try {
        const given = body({
          scheduler,
          clock,
          offer(diagram, offerOptions = {}) {
            const recorded = new Recorded(scheduler, diagram, offerOptions as OfferOptions<unknown>);
            sources.push(recorded);
            return recorded.source.flow as never;
          },
          expectLanes(flow, sink = { next: (message) => void message.ack() }) {
            flow.subscribe({
              next: (message) => sink.next?.(message),
              error: (error: unknown) => {
                errors.push(error);
                sink.error?.(error);
              },
              complete: () => sink.complete?.(),
            });
            return { toBe: (diagram) => void expected.push(plainDiagram(diagram)) };
          },
        });
        if (isThenable(given)) {
          given.then(undefined, () => undefined);
          throw new Error('flowTest: the test gave a promise, and nothing after its first await would be checked.');
        }
        scheduler.flush();
      } finally {
        restore();
      }
    });
    if (errors.length > 0) throw errors[0];
    const drawn = laneDiagram(sources.map((source, index) => source.group(index, sources.length)));
    const left = sources.map((source) => source.leftOpen()).filter((text) => text !== '');
    if (left.length > 0) {
      const cure = sources.some((source) => source.source.unsettled.length > 0) ? PROMISES : OFFER_LESS;
      throw new Error(`${left.join('; ')}\n\n${drawn}\n\n${cure}`);
    }
    for (const diagram of expected) equal(drawn, diagram);
    equal(left.join('; '), '');
  };
}

const PROMISES = 'No promise resolves in the time of flowTest: test what waits for one with virtualClock.';
const OFFER_LESS = 'Offer no more than the flow takes: one that ends early, as behind take, leaves the rest.';

/** A source of a test and what happened to each of its letters. */
class Recorded {
  readonly source: TestSource<unknown>;
  private readonly lanes: { readonly label: string; readonly events: TestSourceEvent<unknown>[] }[] = [];
  private readonly credit: { readonly frame: number; readonly value: number }[] = [];

  constructor(scheduler: TestScheduler, diagram: string, options: OfferOptions<unknown>) {
    const { values, ...rest } = options;
    const letters$ = scheduler.createColdObservable(diagram).pipe(
      map((label) => {
        this.lanes.push({ label, events: [] });
        return values === undefined ? label : values[label];
      }),
    );
    this.source = testSource<unknown>({ connector: 'offer', ...rest, values: letters$ });
    this.source.events$.subscribe((event) => this.lanes[event.record.index]?.events.push(event));
    this.source.credit$.subscribe((value) => this.credit.push({ frame: scheduler.frame, value }));
  }

  group(index: number, of: number): LaneGroup {
    return { name: of === 1 ? 'credit' : `credit ${index + 1}`, lanes: this.lanes, credit: this.credit };
  }

  /** Empty when every message was settled. */
  leftOpen(): string {
    const held = this.source.unsettled.map((record) => {
      const label = (this.lanes[record.index] as Lane).label;
      return `${label} last seen by \`${stageOf(record.message)}\``;
    });
    const waiting = this.lanes
      .filter((lane) => noteOf(lane).startsWith('<- never delivered'))
      .map((lane) => lane.label);
    return [
      ...(held.length > 0 ? [`leak: ${held.join(', ')}`] : []),
      ...(waiting.length > 0 ? [`never delivered: ${waiting.join(', ')}`] : []),
    ].join('; ');
  }
}

function stageOf(message: Message<unknown> | undefined): string {
  return (message as { root?: { holder: string } } | undefined)?.root?.holder ?? 'nobody';
}

function mustEqual(actual: string, expected: string): void {
  if (actual !== expected)
    throw new Error(`The lanes are not as expected.\n\nexpected\n${expected}\n\nactual\n${actual}`);
}
