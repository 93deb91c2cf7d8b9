import { BehaviorSubject } from 'rxjs';
import type { Flow, Sink, Stage } from '../../connection/flow.js';
import { isSluiceError } from '../../errors.js';
import { json } from '../../mappers/json.js';
import { headerText, HEADERS } from '../../message/headers.js';
import type { Message } from '../../message/message.js';
import { deadLetter } from '../../operators/dead-letter.js';
import { decode } from '../../operators/decode.js';
import { each } from '../../operators/each.js';
import { idOf } from '../case-consumer.js';
import { ackEach, type CaseContext } from '../case-context.js';
import type { Outgoing } from '../case-publisher.js';
import type { ConformanceCase } from '../conformance-case.js';
import { inspected } from '../inspected.js';

const utf8 = new TextEncoder();
/** How often a message is delivered by default before it is given up. */
const MAX_ATTEMPTS = 5;

/** Errors: what fails is told once, where it belongs, and takes nothing else with it. */
export const ERROR_CASES: readonly ConformanceCase[] = [
  {
    id: 'ERR-01',
    label: 'R',
    title: 'ends with one error that says what happened, also while its credit is 0, and shows no secret',
    needs: { verbs: ['auth.deny', 'auth.grant'] },
    async run(t) {
      const channel = t.channel();
      await t.bench.auth?.deny?.();
      const consumer = t.consume(channel, { options: { credit: new BehaviorSubject(0) } });
      await t.until('the flow fails', () => consumer.error !== undefined);
      const { error } = consumer;
      t.holds(isSluiceError(error), 'the error is one of the library');
      if (!isSluiceError(error)) return;
      t.same(error.retriable, false, 'whether trying again could help');
      t.holds(error.message.length > 10, 'it says what happened');
      t.holds(typeof error.details['connector'] === 'string', 'its details name the connector');
      const shown = inspected(error);
      t.same(
        (t.harness.secrets ?? []).some((secret) => shown.includes(secret)),
        false,
        'a secret in the error',
      );
      t.same(consumer.walk.at(-1), 'closed', 'the last status');
      t.same(consumer.completed, 0, 'completions');
      await t.bench.auth?.grant?.();
    },
  },
  {
    id: 'ERR-02',
    label: 'R',
    title: 'gives a message up that always fails, to the dead letters, and goes on with the others',
    needs: { flags: ['nackRequeue'] },
    async run(t) {
      const total = t.volume(1_000);
      const poison = `run.w.${Math.floor(total / 3)}`;
      const dead = letters();
      let tries = 0;
      const stage: Stage<Uint8Array, Uint8Array> = (flow) =>
        flow.pipe(
          deadLetter(dead.sink),
          each((bytes) => {
            if (idOf({ payload: bytes }) !== poison) return bytes;
            tries += 1;
            throw new Error('it never works');
          }),
        );
      const { channel, consumer } = await t.start(total, { stage });
      await t.until('it is given up', () => dead.messages.length === 1, 600_000);
      await t.until('the others are unaffected', () => consumer.distinct.size === total - 1);
      t.same(consumer.error, undefined, 'the error of the flow');
      const [letter] = dead.messages as [Message<Uint8Array>];
      t.same(idOf(letter), poison, 'the one that was given up');
      t.same(tries, MAX_ATTEMPTS, 'times it was tried');
      t.same(headerText(letter.headers, HEADERS.deadCode), 'ATTEMPTS_EXHAUSTED', 'the reason');
      if (t.features.deliveryCount === true) {
        t.same(headerText(letter.headers, HEADERS.deadAttempt), String(MAX_ATTEMPTS), 'the attempt it was given up at');
      }
      t.same(headerText(letter.headers, HEADERS.deadTopic) !== undefined, true, `its origin, ${channel.length}`);
      await t.until('it is settled at its source', () => (consumer.handle?.unsettled ?? 0) === 0);
    },
  },
  {
    id: 'ERR-03',
    label: 'R',
    title: 'gives up at once what cannot be decoded, and keeps its bytes',
    async run(t) {
      const dead = letters();
      const good = utf8.encode('{"fine":true}');
      const bad = Object.entries(undecodable());
      const items: Outgoing[] = [...bad.map(([, payload]) => ({ payload })), { payload: good }];
      const stage = ((flow: Flow<Uint8Array>) => flow.pipe(deadLetter(dead.sink), decode(json()))) as unknown as Stage<
        Uint8Array,
        Uint8Array
      >;
      const channel = t.channel();
      const consumer = await t.aroundSent(channel, items, () =>
        t.consume(channel, { stage, record: false, handler: (message) => void message.ack() }),
      );
      await t.until('what is fine passes', () => consumer.count >= 1);
      await t.until('the others are given up', () => dead.messages.length >= bad.length);
      await t.stays('once each', () => dead.messages.length === bad.length && consumer.count === 1);
      for (const [name, payload] of bad) {
        const letter = dead.messages.find((message) => isSame(message.payload, payload));
        t.holds(letter !== undefined, `the bytes of ${name} are kept`);
        if (letter === undefined) continue;
        t.same(headerText(letter.headers, HEADERS.deadAttempt), '1', `attempts of ${name}`);
        const code = headerText(letter.headers, HEADERS.deadCode) ?? '';
        t.holds(/^(DECODE_FAILED|SCHEMA_INVALID|LIMIT_)/.test(code), `the reason of ${name}, it was ${code}`);
      }
    },
  },
  {
    id: 'ERR-04',
    label: 'R',
    title: 'does with a failed message what it was told: fail, drop, dead letter, or again after a while',
    needs: { flags: ['nackRequeue'] },
    async run(t) {
      const failing = (onError: 'fail' | 'drop' | 'dead' | 'requeue', dead: Sink<Uint8Array>) => {
        const seen: { readonly atMs: number; readonly attempt: number }[] = [];
        const stage: Stage<Uint8Array, Uint8Array> = (flow) =>
          flow.pipe(
            deadLetter(dead),
            each(
              (bytes, message) => {
                if (idOf({ payload: bytes }) !== `run.${onError}.1`) return bytes;
                seen.push({ atMs: t.clock.elapsed(), attempt: message.attempt });
                if (onError === 'requeue' && seen.length > 1) return bytes;
                throw new Error('it fails');
              },
              { onError },
            ),
          );
        return { stage, seen };
      };
      for (const onError of ['fail', 'drop', 'dead', 'requeue'] as const) {
        const dead = letters();
        const { stage, seen } = failing(onError, dead.sink);
        const { channel, consumer } = await t.start(4, { writer: onError, stage });
        const others = onError === 'requeue' ? 4 : 3;
        if (onError === 'fail') {
          await t.until('the flow fails', () => consumer.error !== undefined);
          t.holds(isSluiceError(consumer.error, 'HANDLER_FAILED'), 'with what the handler threw');
          if (t.features.ack === 'manual' && t.features.backlog === true) {
            const next = t.consume(channel);
            await t.until('the message is not lost', () => next.distinct.has('run.fail.1'));
          }
        } else {
          await t.until(`the others pass with ${onError}`, () => consumer.distinct.size >= others);
          await t.stays('nothing else comes', () => consumer.count === others, 60_000);
        }
        t.same(dead.messages.length, onError === 'dead' ? 1 : 0, `dead letters with ${onError}`);
        if (onError !== 'requeue') continue;
        const [first, second] = seen;
        t.same(seen.length, 2, 'tries of the one that works the second time');
        const waitMs = (second?.atMs ?? 0) - (first?.atMs ?? 0);
        t.holds(waitMs >= (t.features.nackDelay ?? 0) - 1, `it came again after ${Math.round(waitMs)} ms`);
        if (t.features.deliveryCount === true) t.same(second?.attempt, 2, 'the attempt');
      }
    },
  },
  {
    id: 'ERR-05',
    label: 'R',
    title: 'keeps a message at its source while its dead letter finds no place',
    needs: { flags: ['deadLetter'] },
    async run(t) {
      const dead = letters();
      dead.refuse();
      const retryMs = t.isVirtual ? 1_000 : 50;
      const stage: Stage<Uint8Array, Uint8Array> = (flow) =>
        flow.pipe(
          deadLetter(dead.sink, { retryMs }),
          each(
            (bytes) => {
              if (idOf({ payload: bytes }) === 'run.w.1') throw new Error('poison');
              return bytes;
            },
            { onError: 'dead' },
          ),
        );
      const { consumer } = await t.start(4, { stage });
      await t.until('the others pass', () => consumer.distinct.size >= 3);
      const from = t.clock.elapsed();
      await t.until('it is tried some times', () => dead.refused() >= 4);
      const tookMs = t.clock.elapsed() - from;
      t.holds(tookMs >= 2 * (retryMs - 1), `it waits between tries, four took ${Math.round(tookMs)} ms`);
      t.same(consumer.handle?.counts.acked ?? 3, 3, 'acked at the source');
      t.same(consumer.handle?.counts.dead ?? 0, 0, 'given up at the source');
      t.holds(
        t.events.some((event) => event.type === 'message.nacked' && event.connector === 'deadLetter'),
        'it is told',
      );
      dead.accept();
      await t.until('it is kept once there is a place', () => dead.messages.length === 1);
      await t.until('and acked then', () => (consumer.handle?.counts.acked ?? 4) === 4);
      await t.stays('once', () => dead.messages.length === 1);
    },
  },
  {
    id: 'ERR-06',
    label: 'R',
    title: 'closes on a peer that sends nonsense, and serves the others',
    needs: { flags: ['exposesServer'], verbs: ['raw'] },
    async run(t) {
      const tries = Math.floor(t.volume(10_000) / 2);
      const { consumer, channel } = await t.start(5, { handler: ackEach });
      await t.until('it serves', () => consumer.count >= 5);
      let open = 0;
      for (let at = 0; at < tries; at += 25) {
        const answers = Array.from({ length: Math.min(25, tries - at) }, () => t.bench.raw?.(nonsense(t)));
        for (const answer of answers) if ((await t.settled('the peer is answered', answer)) === 'open') open += 1;
      }
      t.same(open, 0, 'peers that were left open');
      t.publish(channel, 5, { writer: 'others' });
      await t.until('others are served', () => consumer.count >= 10);
      t.same(consumer.losses, 0, 'connections of others that were lost');
    },
  },
];

interface Letters {
  readonly sink: Sink<Uint8Array>;
  readonly messages: readonly Message<Uint8Array>[];
  refuse(): void;
  accept(): void;
  readonly refused: () => number;
}

/** Where dead letters go, with or without room. */
function letters(): Letters {
  const messages: Message<Uint8Array>[] = [];
  let [isOpen, refused] = [true, 0];
  return {
    messages,
    sink: {
      next(message) {
        if (isOpen) {
          messages.push(message);
          message.ack();
        } else {
          refused += 1;
          message.nack(new Error('no room'));
        }
      },
      error: () => undefined,
      complete: () => undefined,
    },
    refuse: () => void (isOpen = false),
    accept: () => void (isOpen = true),
    refused: () => refused,
  };
}

/** JSON that is none, by what is wrong with it. */
function undecodable(): Record<string, Uint8Array> {
  return {
    'no payload': new Uint8Array(),
    'half a document': utf8.encode('{"a":'),
    'a document and more': utf8.encode('{} tail'),
    'not a number': utf8.encode('{"a":NaN}'),
    'single quotes': utf8.encode("{'a':1}"),
    'invalid UTF-8': Uint8Array.of(0x22, 0x61, 0xff, 0x62, 0x22),
    'a nest of 65': utf8.encode(`${'['.repeat(65)}${']'.repeat(65)}`),
    'a forbidden key': utf8.encode('{"__proto__":{"admin":true}}'),
    'a hidden forbidden key': utf8.encode('{"\\u005f_proto__":{"admin":true}}'),
    'a number too large': utf8.encode('{"a":1e400}'),
    'a number that would be rounded': utf8.encode('{"id":9007199254740993}'),
  };
}

/** Random bytes, or the beginning of something that could be right. */
function nonsense(t: CaseContext): Uint8Array {
  const bytes = Uint8Array.from({ length: 1 + Math.floor(t.random() * 200) }, () => Math.floor(t.random() * 256));
  if (t.random() < 0.5) return bytes;
  const beginnings = [
    'GET / HTTP/1.1\r\nHost: x\r\n',
    'GET ',
    'AMQP\u0000',
    '\u0010\u0010\u0000\u0004MQTT',
    'PRI * HTTP/2.0\r\n',
  ];
  const beginning = utf8.encode(beginnings[Math.floor(t.random() * beginnings.length)] ?? '');
  const both = new Uint8Array(beginning.length + bytes.length);
  both.set(beginning);
  both.set(bytes, beginning.length);
  return both;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
