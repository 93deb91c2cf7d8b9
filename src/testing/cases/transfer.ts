import type { MessageHeaders } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { idOf, type CaseConsumer } from '../case-consumer.js';
import type { CaseContext } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';
import { guaranteeOf } from '../guarantee.js';
import { CLOUD_EVENTS, fromBinary, fromStructured, shown, toBinary, toStructured } from '../cloud-events.js';

/** Delivery beyond the ordinary: again, exactly once, at most once, after a while, and in a common form. */
export const TRANSFER_CASES: readonly ConformanceCase[] = [
  {
    id: 'DEL-07',
    label: 'O',
    title: 'gives each of three late subscribers all that was published before',
    needs: { flags: ['replay'] },
    async run(t) {
      const total = t.volume(100);
      const channel = t.channel();
      await t.published(channel, total);
      await t.bench.finish?.(channel);
      for (const group of ['one', 'two', 'three']) {
        const late = t.consume(channel, { options: { replay: true, group }, record: false, handler: remember });
        await t.until(`${group} has all`, () => late.count >= total);
        await t.stays('and nothing twice', () => late.count === total && late.distinct.size === total, 1_000);
      }
    },
  },
  {
    id: 'DEL-08',
    label: 'O',
    title: 'copies everything once, also when the broker is killed in between',
    needs: { flags: ['exactlyOnce', 'replay'], verbs: ['copy', 'broker.kill', 'broker.start'] },
    async run(t) {
      const total = t.volume(100_000);
      const [from, to] = [t.channel('from'), t.channel('to')];
      await t.published(from, total);
      // Reads at least once, so a kill may bring it something twice. What was copied is read from its start in the end.
      const watcher = t.consume(to, { options: { group: 'watcher' }, record: false, handler: remember });
      const copy = t.bench.copy?.(from, to);
      t.onEnd(() => void copy?.stop());
      for (let kill = 1; kill <= 5; kill += 1) {
        await t.until('it goes on', () => watcher.distinct.size >= (kill * total) / 6);
        await t.bench.broker?.kill?.();
        await t.bench.broker?.start?.();
      }
      await t.until('all are copied', () => watcher.distinct.size >= total);
      watcher.unsubscribe();
      const reader = t.consume(to, { options: { replay: true, group: 'reader' } });
      await t.until('all are read', () => reader.distinct.size >= total);
      await t.stays('nothing comes twice', () => reader.count === total, 60_000, 500);
      const report = t.checked();
      t.same(`${report.lost.length} lost, ${report.duplicates} twice`, '0 lost, 0 twice', 'messages');
    },
  },
  {
    id: 'DEL-09',
    label: 'R',
    title: 'says that it delivers at most once where the far side forgets what it delivered',
    needs: { ack: 'auto' },
    async run(t) {
      t.same(guaranteeOf(t.features), 'at most once', 'the guarantee that its features make');
      const { consumer, channel } = await t.start(20, { options: { credit: 10, closeTimeoutMs: 0 } });
      await t.until('all are delivered', () => consumer.count >= 20);
      consumer.unsubscribe();
      const next = t.consume(channel);
      await t.up(next);
      t.publish(channel, 5, { writer: 'later' });
      await t.until('what comes later is delivered', () => next.ids.filter((id) => id.includes('later')).length === 5);
      await t.stays('what was delivered is not delivered again', () => next.count === 5, 60_000);
    },
  },
  {
    id: 'DEL-10',
    label: 'R',
    title: 'keeps everything for a subscriber that is away, or refuses it, and drops nothing in silence',
    needs: { flags: ['durableSubscription'], verbs: ['sink'], not: ['finite'] },
    async run(t) {
      const total = t.volume(5_000);
      const channel = t.channel();
      const first = t.consume(channel);
      await t.up(first);
      t.publish(channel, 1, { writer: 'first' });
      await t.until('it is subscribed', () => first.count >= 1);
      first.unsubscribe();
      await t.until('it is away', () => first.isClosed);
      const publisher = t.publish(channel, total);
      await t.until('each is confirmed or refused', () => publisher.confirmed + publisher.refused.length >= total);
      const again = t.consume(channel);
      await t.until('all that was confirmed comes', () => again.distinct.size >= publisher.confirmed);
      const report = t.checked();
      t.same(report.lost.length, 0, 'confirmed and lost');
      t.same(report.unexpected.length, 0, 'refused and delivered');
    },
  },
  {
    id: 'DEL-11',
    label: 'R',
    title: 'carries CloudEvents, as headers and as one document, attribute for attribute',
    needs: { verbs: ['sink'] },
    async run(t) {
      const carries = t.features.headers !== 'none';
      for (const event of CLOUD_EVENTS) {
        const structured = await passed(t, { payload: toStructured(event), headers: {} });
        t.same(shown(fromStructured(structured.payload)), shown(event), `${event.id} as one document`);
        if (!carries) continue;
        const { payload, headers } = toBinary(event);
        const binary = await passed(t, { payload, headers });
        t.same(shown(fromBinary(binary.payload, binary.headers)), shown(event), `${event.id} as headers`);
        const names = Object.keys(binary.headers).map((name) => name.toLowerCase());
        t.holds(!names.includes('ce-datacontenttype'), 'the type of the data is the content type, and no attribute');
      }
    },
  },
];

interface Sent {
  readonly payload: Uint8Array;
  readonly headers: MessageHeaders;
}

/** Sends one message over a channel of its own and gives what arrived. */
async function passed(t: CaseContext, sent: Sent): Promise<Message<Uint8Array>> {
  const channel = t.channel();
  const subscribe = async (): Promise<CaseConsumer> => {
    const consumer = t.consume(channel, {
      record: false,
      handler(message, self) {
        self.messages.push(message);
        self.ack(message);
      },
    });
    await t.up(consumer);
    return consumer;
  };
  const early = t.features.backlog === true ? undefined : await subscribe();
  const publisher = t.send(channel, [sent]);
  await t.until('it is confirmed', () => publisher.confirmed === 1);
  await t.until('the sink is closed', () => publisher.isDone);
  await t.bench.finish?.(channel);
  const reader = early ?? (await subscribe());
  await t.until('it arrives', () => reader.count >= 1);
  reader.unsubscribe();
  return reader.messages[0] as Message<Uint8Array>;
}

function remember(message: Message<Uint8Array>, consumer: CaseConsumer): void {
  consumer.distinct.add(idOf(message));
  consumer.ack(message);
}
