import { BehaviorSubject } from 'rxjs';
import { isSluiceError } from '../../errors.js';
import { fork } from '../../message/settlement.js';
import type { Message } from '../../message/message.js';
import type { CaseConsumer } from '../case-consumer.js';
import { ackEach, hold } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';
import { workTimeMs } from '../work-time.js';

/** How much work CRD-03 does in all, in real time. */
const WORK_MS = 200;

/** Credit: what is emitted never runs ahead of what was settled. */
export const CREDIT_CASES: readonly ConformanceCase[] = [
  {
    id: 'CRD-01',
    label: 'R',
    title: 'never emits above its window, and stays alive while nothing is settled',
    async run(t) {
      // With fewer messages the largest window is smaller: what waits is always ten times as much.
      const windows = [1, 2, 16, 1_000].map((credit) => Math.max(1, Math.floor(t.volume(10 * credit) / 10)));
      const consumers: CaseConsumer[] = [];
      for (const credit of windows) {
        const started = await t.start(10 * credit, { options: { credit, settleWithinMs: 0 }, handler: hold });
        consumers.push(started.consumer);
        await t.until(`a window of ${credit} is full`, () => started.consumer.count >= credit);
      }
      const isFull = (): boolean => consumers.every(({ count }, at) => count === windows[at]);
      await t.stays('exactly the windows are delivered', isFull, 45_000, t.beats(3));
      for (const [at, consumer] of consumers.entries()) {
        t.holds(consumer.isUp, 'the connection is still up');
        t.same(consumer.handle?.counts.reconnects ?? 0, 0, 'reconnects while nothing was settled');
        consumer.ackOpen();
        await t.until('it goes on after a settlement', () => consumer.count > (windows[at] ?? 0));
      }
    },
  },
  {
    id: 'CRD-02',
    label: 'R',
    title: 'starts paused with a credit of 0, and emits exactly what it is given',
    async run(t) {
      const credit = new BehaviorSubject(0);
      const { consumer } = await t.start(100, { options: { credit }, handler: hold });
      await t.stays('nothing is delivered', () => consumer.count === 0);
      credit.next(5);
      await t.until('five are delivered', () => consumer.count >= 5);
      await t.stays('exactly five are delivered', () => consumer.count === 5);
    },
  },
  {
    id: 'CRD-03',
    label: 'R',
    title: 'neither deepens the stack nor starves timers with acks inside next',
    async run(t) {
      const count = t.volume(1_000_000);
      const lookEvery = Math.max(16, Math.floor(count / 1_000));
      const isReal = !t.isVirtual;
      let least = Infinity;
      let most = 0;
      let longestMs = 0;
      let seen = 0;
      let beforeMs = workTimeMs();
      // In virtual time a turn takes none, so only real time tells how long timers had to wait.
      const tick = (): void => {
        if (seen > 0) longestMs = Math.max(longestMs, workTimeMs() - beforeMs);
        beforeMs = workTimeMs();
        if (seen < count) t.clock.timer(10, tick);
      };
      const { consumer } = await t.start(count, {
        record: false,
        handler(message, self) {
          if (seen === 0 && isReal) tick();
          seen += 1;
          if (seen % lookEvery === 0) {
            const frames = stackFrames();
            least = Math.min(least, frames);
            most = Math.max(most, frames);
          }
          // So that as few as there are would starve a timer, if nobody gave it a turn.
          if (isReal) work(WORK_MS / count);
          ackEach(message, self);
        },
      });
      await t.until(`${count} messages are delivered`, () => consumer.count >= count);
      if (isReal) tick();
      t.holds(most - least <= 200, `the stack stays as it is, it grew by ${most - least} frames`);
      t.holds(longestMs < 100, `a timer of 10 ms waits for less than 100 ms of work, it was ${Math.round(longestMs)}`);
    },
  },
  {
    id: 'CRD-04',
    label: 'R',
    title: 'returns one credit per message, however often it is settled',
    async run(t) {
      const { consumer } = await t.start(10, { options: { credit: 2 }, handler: hold });
      await t.until('the window is full', () => consumer.count >= 2);
      const [first, second] = consumer.messages as [Message<Uint8Array>, Message<Uint8Array>];
      t.same(consumer.ack(first), true, 'the first ack');
      t.same(first.ack(), false, 'the second ack');
      await t.until('one more is delivered', () => consumer.count >= 3);
      await t.stays('exactly one more is delivered', () => consumer.count === 3);
      t.same(consumer.ack(second), true, 'the ack of the second');
      t.same(second.nack(new Error('late')), false, 'the nack behind it');
      await t.until('one more is delivered', () => consumer.count >= 4);
      await t.stays('exactly one more is delivered', () => consumer.count === 4);
      consumer.unsubscribe();
      consumer.nack(consumer.messages[2] as Message<Uint8Array>);
      consumer.ackOpen();
      await t.stays('nothing is delivered after the unsubscribe', () => consumer.count === 4);
    },
  },
  {
    id: 'CRD-05',
    label: 'R',
    title: 'refuses a credit that is not a whole number from 0 to 65,535',
    run(t) {
      const channel = t.channel();
      for (const credit of [-1, 0.5, NaN, 65_536, Infinity]) {
        let error: unknown;
        try {
          void t.source(channel, { credit });
        } catch (thrown) {
          error = thrown;
        }
        const text = isSluiceError(error, 'CONFIG_INVALID') ? error.message : '';
        t.holds(text.includes('credit') && text.includes('65535'), `a credit of ${credit} is refused with the range`);
      }
    },
  },
  {
    id: 'CRD-06',
    label: 'O',
    title: 'stops and waits with a credit of 1',
    needs: { anyOf: ['ordered', 'orderedPerKey', 'orderedSingleConsumer'] },
    async run(t) {
      const { consumer } = await t.start(2, { options: { credit: 1 }, handler: hold });
      await t.until('the first is delivered', () => consumer.count >= 1);
      await t.stays('the second is not', () => consumer.count === 1, 1_000);
      consumer.ackOpen();
      await t.until('the second is delivered', () => consumer.count === 2, 5_000);
      t.holds((consumer.ids[0] ?? '') < (consumer.ids[1] ?? ''), 'they come in order');
    },
  },
  {
    id: 'CRD-07',
    label: 'O',
    title: 'waits for the slowest branch of a message that went to several',
    needs: { flags: ['fanOut'] },
    async run(t) {
      const slow: Message<Uint8Array>[] = [];
      let fast = 0;
      const { consumer } = await t.start(40, {
        options: { credit: 4 },
        handler(message) {
          const [quick, stopped] = fork(message, 2) as [Message<Uint8Array>, Message<Uint8Array>];
          slow.push(stopped);
          fast += 1;
          quick.ack();
        },
      });
      await t.until('the window is full', () => consumer.count >= 4);
      await t.stays('the fast branch is not fed past it', () => fast === 4);
      slow[0]?.ack();
      await t.until('a settled one makes room', () => fast >= 5);
      await t.stays('for exactly one', () => fast === 5);
    },
  },
  {
    id: 'CRD-08',
    label: 'R',
    title: 'has no more at the far side than its window',
    needs: { flags: ['brokerControl'], verbs: ['peek.unsettled'] },
    async run(t) {
      const { channel, consumer } = await t.start(200, { options: { credit: 10 }, handler: hold });
      await t.until('the window is full', () => consumer.count >= 10);
      await t.stays('nothing more is delivered', () => consumer.count === 10);
      const unsettled = (await t.bench.peek?.unsettled?.(channel)) ?? 0;
      t.holds(unsettled === 10, `${unsettled} are handed out for a window of 10`);
      while (consumer.count < 100) {
        const seen = consumer.count;
        consumer.ackOpen();
        await t.until('it goes on', () => consumer.count > seen);
        const now = (await t.bench.peek?.unsettled?.(channel)) ?? 0;
        t.holds(now <= 10, `${now} are handed out for a window of 10 while it is worked off`);
      }
    },
  },
  {
    id: 'CRD-09',
    label: 'R',
    title: 'keeps its window over a reconnect, and takes no credit from before it',
    needs: { ack: 'manual', flags: ['reconnects'], verbs: ['net.cut'] },
    async run(t) {
      const credit = 5;
      const { consumer } = await t.start(40, { options: { credit }, handler: hold });
      await t.until('the window is full', () => consumer.count >= credit);
      const stale = [...consumer.messages];
      await t.bench.net?.cut?.('rst');
      await t.until('the window is full again', () => consumer.count >= 2 * credit);
      t.holds(
        stale.every((message) => !message.ack()),
        'what was delivered before is stale',
      );
      await t.stays('it returns no credit', () => consumer.count === 2 * credit);
      t.same(consumer.openNow(), credit, 'in flight after the reconnect');
    },
  },
  {
    id: 'CRD-11',
    label: 'R',
    title: 'holds no more bytes than creditBytes, whichever limit comes first',
    needs: { flags: ['byteCredit'] },
    async run(t) {
      const bytes = 4_096;
      const { consumer } = await t.start(40, {
        bytes,
        options: { credit: 1_000, creditBytes: 4 * bytes + bytes / 2 },
        handler: hold,
      });
      await t.until('the bytes are used up', () => consumer.count >= 3);
      await t.stays('no more is held', () => consumer.count <= 4);
      const held = consumer.messages.reduce((sum, message) => sum + message.payload.length, 0);
      t.holds(held <= 4.5 * bytes, `${held} bytes are held`);
      const seen = consumer.count;
      consumer.ackOpen();
      await t.until('settled ones make room', () => consumer.count > seen);
      const fewer = (await t.start(10, { bytes, options: { credit: 2, creditBytes: 100 * bytes }, handler: hold }))
        .consumer;
      await t.until('the number is used up', () => fewer.count >= 2);
      await t.stays('the number comes first here', () => fewer.count === 2);
    },
  },
];

function work(ms: number): void {
  const endMs = workTimeMs() + ms;
  while (workTimeMs() < endMs);
}

function stackFrames(): number {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = Infinity;
  const frames = new Error().stack?.split('\n').length ?? 0;
  Error.stackTraceLimit = limit;
  return frames;
}
