import type { MessageHeaders } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { idOf, type CaseConsumer, type Handler } from '../case-consumer.js';
import type { CaseContext } from '../case-context.js';
import type { Outgoing } from '../case-publisher.js';
import type { ConformanceCase } from '../conformance-case.js';

const utf8 = new TextEncoder();

/** Delivery: what goes in comes out, the same, in order, to whom it belongs. */
export const DELIVERY_CASES: readonly ConformanceCase[] = [
  {
    id: 'DEL-01',
    label: 'R',
    title: 'delivers what was published, all of it and nothing else',
    async run(t) {
      const { consumer } = await t.start(100);
      await t.until('all are delivered', () => consumer.count >= 100);
      await t.stays('nothing else is', () => consumer.count === 100);
      clean(t);
    },
  },
  {
    id: 'DEL-02',
    label: 'R',
    title: 'carries payloads and headers unchanged, or refuses them by name',
    needs: { verbs: ['sink'] },
    async run(t) {
      for (const item of difficult(t)) {
        const channel = t.channel();
        let consumer: CaseConsumer | undefined;
        if (t.features.backlog !== true) {
          consumer = t.consume(channel, { record: false, handler: keep });
          await t.up(consumer);
        }
        const publisher = t.send(channel, [item.outgoing]);
        await t.until(`${item.name} is confirmed or refused`, () => publisher.confirmed + publisher.refused.length > 0);
        const [refused] = publisher.refused;
        if (refused !== undefined) {
          const code = (refused.reason as { readonly code?: string } | undefined)?.code;
          t.holds(code !== undefined, `${item.name} is refused with a code`);
          consumer?.unsubscribe();
          continue;
        }
        await t.until(`${item.name} is written`, () => publisher.isDone);
        await t.bench.finish?.(channel);
        const reader = consumer ?? t.consume(channel, { record: false, handler: keep });
        await t.until(`${item.name} is delivered`, () => reader.count >= 1);
        const [message] = reader.messages as [Message<Uint8Array>];
        t.same(hex(message.payload), hex(item.outgoing.payload), `payload of ${item.name}`);
        t.holds(isEqual(message.payload, item.outgoing.payload), `every byte of ${item.name} is the same`);
        for (const [name, value] of Object.entries(item.outgoing.headers ?? {})) {
          t.same(shown(message.headers[name]), shown(value), `header ${name} of ${item.name}`);
        }
        reader.unsubscribe();
      }
    },
  },
  {
    id: 'DEL-03',
    label: 'O',
    title: 'keeps the order it declares',
    needs: { anyOf: ['ordered', 'orderedPerKey', 'orderedSingleConsumer'] },
    async run(t) {
      const keys = 16;
      const perKey = Math.floor(t.volume(1_000) / keys);
      const readers = t.features.orderedPerKey === true && t.features.broadcast !== true ? 10 : 1;
      const channel = t.channel();
      const items = Array.from({ length: keys }, (_, key) =>
        t.items(perKey, { writer: `k${key}`, key: () => `k${key}` }),
      );
      // Writers take turns, so that the order of one key is not simply that of the channel.
      const mixed = Array.from({ length: perKey }, (_, at) => items.map((ofKey) => ofKey[at] as Outgoing)).flat();
      const subscribe = async (): Promise<CaseConsumer[]> => {
        const consumers = Array.from({ length: readers }, () => t.consume(channel, { options: { credit: 4 } }));
        for (const consumer of consumers) await t.up(consumer);
        return consumers;
      };
      let consumers: CaseConsumer[];
      if (t.features.backlog === true) {
        const publisher = t.send(channel, mixed);
        await t.until('all are confirmed', () => publisher.isDone);
        await t.bench.finish?.(channel);
        consumers = await subscribe();
      } else {
        consumers = await subscribe();
        t.send(channel, mixed);
      }
      const count = (): number => consumers.reduce((sum, consumer) => sum + consumer.count, 0);
      await t.until('all are delivered', () => count() >= mixed.length);
      t.same(clean(t).disordered.join(), '', 'delivered out of order');
      if (t.features.nackRequeue === true) await orderAroundNack(t);
    },
  },
  {
    id: 'DEL-04',
    label: 'O',
    title: 'gives each group every message once',
    needs: { flags: ['consumerGroups'] },
    async run(t) {
      const channel = t.channel();
      const seen = [new Set<string>(), new Set<string>()];
      const groups = ['billing', 'audit'].map((group, at) => {
        const handler: Handler = (message, consumer) => {
          seen[at]?.add(idOf(message));
          consumer.ack(message);
        };
        return [1, 2].map(() => t.consume(channel, { options: { group, credit: 4 }, handler, record: false }));
      });
      for (const consumer of groups.flat()) await t.up(consumer);
      t.publish(channel, 50);
      const counts = (): number[] => groups.map(([a, b]) => (a?.count ?? 0) + (b?.count ?? 0));
      await t.until('each group got fifty', () => counts().every((count) => count >= 50));
      await t.stays('none got more', () => counts().every((count) => count === 50));
      t.same(counts().join(), '50,50', 'deliveries per group');
      t.same(seen.map(({ size }) => size).join(), '50,50', 'different messages per group');
    },
  },
  {
    id: 'DEL-05',
    label: 'R',
    title: 'delivers what many writers send to many readers',
    async run(t) {
      const writers = 50;
      const each = Math.max(1, Math.floor(t.volume(5_000) / writers));
      const readers = t.features.broadcast === true || t.features.finite === true ? 1 : 50;
      const channel = t.channel();
      const publish = async (): Promise<void> => {
        const publishers = Array.from({ length: writers }, (_, at) => t.publish(channel, each, { writer: `w${at}` }));
        if (t.features.backlog !== true) return;
        await t.until('all are confirmed', () => publishers.every((publisher) => publisher.isDone));
        await t.bench.finish?.(channel);
      };
      if (t.features.backlog === true) await publish();
      const consumers = Array.from({ length: readers }, () => t.consume(channel));
      for (const consumer of consumers) await t.up(consumer);
      if (t.features.backlog !== true) await publish();
      const count = (): number => consumers.reduce((sum, consumer) => sum + consumer.count, 0);
      await t.until('all are delivered', () => count() >= each * writers);
      await t.stays('nothing else is', () => count() === each * writers);
      clean(t);
    },
  },
  {
    id: 'DEL-06',
    label: 'R',
    title: 'keeps channels apart, whatever they are called',
    async run(t) {
      const count = Math.max(1, Math.floor(t.volume(2_000) / 20));
      const hints = [
        'a',
        'a.b',
        'a/b',
        'a.*',
        'a.#',
        'a/+',
        'a/#',
        '+',
        'ä',
        'a b',
        '漢字',
        'a%2Fb',
        'A',
        'a-b',
        'a_b',
      ];
      const channels = Array.from({ length: 20 }, (_, at) => t.channel(hints[at] ?? `n${at}`));
      t.same(new Set(channels).size, channels.length, 'different channels');
      const consumers: CaseConsumer[] = [];
      for (const [at, channel] of channels.entries()) {
        const subscribe = async (): Promise<CaseConsumer> => {
          const consumer = t.consume(channel);
          await t.up(consumer);
          return consumer;
        };
        consumers.push(await t.around(channel, count, { writer: `c${at}` }, subscribe));
      }
      await t.until('each got its own', () => consumers.every((consumer) => consumer.count >= count));
      await t.stays('and nothing else', () => consumers.every((consumer) => consumer.count === count));
      const strays = consumers.filter((consumer, at) => consumer.ids.some((id) => !id.startsWith(`run.c${at}.`)));
      t.same(strays.length, 0, 'channels with messages of another');
    },
  },
];

/** One message in the middle is requeued once: what that does to the order is declared. */
async function orderAroundNack(t: CaseContext): Promise<void> {
  const total = 30;
  const refused = 'run.nack.10';
  let atNack: readonly string[] = [];
  const { consumer } = await t.start(total, {
    writer: 'nack',
    key: () => 'one',
    options: { credit: 4 },
    handler(message, self) {
      if (idOf(message) !== refused || atNack.length > 0) self.ack(message);
      else {
        atNack = [...self.ids];
        self.nack(message);
      }
    },
  });
  await t.until('all are delivered, one of them again', () => consumer.count >= total + 1);
  const others = consumer.ids.filter((id) => id !== refused);
  const numbers = others.map((id) => Number(id.slice(id.lastIndexOf('.') + 1)));
  t.holds(
    numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? 0)),
    'the others keep their order around the one that was requeued',
  );
  if (t.features.orderOnRequeue === true) {
    const between = consumer.ids.slice(atNack.length, consumer.ids.lastIndexOf(refused));
    t.same(between.join(), '', 'delivered before the one that was requeued came again');
  }
}

function keep(message: Message<Uint8Array>, consumer: CaseConsumer): void {
  consumer.messages.push(message);
  message.ack();
}

function clean(t: CaseContext): ReturnType<CaseContext['checked']> {
  const report = t.checked();
  t.same(report.lost.join(), '', 'lost messages');
  t.same(report.unexpected.join(), '', 'unexpected messages');
  t.same(report.duplicates, 0, 'duplicates');
  return report;
}

interface Difficult {
  readonly name: string;
  readonly outgoing: Outgoing;
}

/** Payloads and headers that connectors have been known to change. */
function difficult(t: CaseContext): Difficult[] {
  const { binary = false, headers, maxMessageBytes = 65_536 } = t.features;
  const all: Difficult[] = [
    { name: 'an empty payload', outgoing: { payload: new Uint8Array() } },
    { name: 'one byte', outgoing: { payload: utf8.encode('x') } },
    { name: 'text beyond ASCII', outgoing: { payload: utf8.encode('aä漢字😀\u0000\r\n') } },
    { name: '64 KiB', outgoing: { payload: letters(Math.min(65_536, maxMessageBytes)) } },
    { name: 'the largest payload', outgoing: { payload: letters(maxMessageBytes) } },
  ];
  if (binary) {
    all.push({ name: 'every byte value', outgoing: { payload: Uint8Array.from({ length: 256 }, (_, at) => at) } });
  }
  if (headers === 'none') return all;
  const payload = utf8.encode('x');
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x-${at}`, String(at)]));
  const withHeaders: Record<string, MessageHeaders> = {
    'a name in mixed case': { 'X-Mixed-Case': 'a' },
    'an empty header': { 'x-empty': '' },
    'a header beyond ASCII': { 'x-name': 'Zoë 漢字' },
    'a hundred headers': many,
    'a repeated header': { 'x-twice': ['a', 'b'] },
    ...(headers === 'binary' ? { 'a header of bytes': { 'x-bytes': Uint8Array.of(0, 255, 128) } } : {}),
  };
  for (const [name, given] of Object.entries(withHeaders)) {
    all.push({ name, outgoing: { payload, headers: given } });
  }
  return all;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Letters that do not repeat themselves at any power of two, so that blocks in the wrong order show. */
function letters(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, at) => 97 + ((at + Math.floor(at / 23)) % 23));
}

function hex(bytes: Uint8Array): string {
  return bytes.length > 300 ? `${bytes.length} bytes` : [...bytes].map((byte) => byte.toString(16)).join(' ');
}

function shown(value: unknown): string {
  if (value instanceof Uint8Array) return hex(value);
  return Array.isArray(value) ? value.map(shown).join('|') : String(value);
}
