import { setTimeout as pause } from 'node:timers/promises';
import { isSluiceError, type Flow, type Message, type NackThen, type Sink, type SourceOptions } from 'sluice';
import type { SinkOptions } from 'sluice/connection';
import { recorder } from '../helpers/message.js';
import type { Meeting } from './meeting.js';

/** What a system may lack; scenarios that need it are then not compared. */
export type Ability =
  | 'requeue'
  | 'requeued before what waits'
  | 'dead letters'
  | 'competing readers'
  | 'backlog'
  | 'refuses when full'
  | 'attempts'
  | 'attempts counted over a lost line'
  | 'keys';

/** What a channel of a scenario is like. */
export interface ChannelOptions {
  /** Dead messages go to another channel: `deadOf`. */
  readonly deadLetters?: boolean;
  /** How many may wait. More are refused. */
  readonly maxMessages?: number;
}

/** One of the systems that are compared. Requeued messages come back at once. */
export interface Side {
  readonly name: string;
  readonly abilities: ReadonlySet<Ability>;
  channel(options: ChannelOptions): Promise<string>;
  /** Where the dead of a channel with `deadLetters` go. */
  deadOf(channel: string): string;
  source(channel: string, options: SourceOptions): Flow<Uint8Array>;
  sink(channel: string, options: SinkOptions): Sink<Uint8Array>;
  /** How many read it now. */
  readers(channel: string): Promise<number>;
  /** How many messages wait for a reader. */
  depth(channel: string): Promise<number>;
  /** Breaks every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** Somebody who reads and does what the scenario says. */
export interface Actor {
  /** Settles the oldest delivery of this text that it holds, and writes down whether that took. */
  ack(...texts: readonly string[]): void;
  nack(then: NackThen, ...texts: readonly string[]): void;
  /** Settles one that was delivered first, whatever became of it. */
  late(text: string): void;
  leave(): void;
}

/** What a scenario is told with; everything that can be seen from outside ends in the trace. */
export interface Stage {
  channel(options?: ChannelOptions): Promise<string>;
  deadOf(channel: string): string;
  /** Sends these texts one after the other, each after the one before was settled. */
  publish(channel: string, texts: string, fields?: { readonly key?: string; readonly header?: string }): Promise<void>;
  /** Names are for the trace. `change` is applied to the flow. */
  read(
    channel: string,
    name: string,
    options: SourceOptions,
    change?: (flow: Flow<Uint8Array>) => Flow<Uint8Array>,
  ): Promise<Actor>;
  /** Until nothing more happens. What several readers saw meanwhile is sorted by reader, as nothing orders it. */
  rest(): Promise<void>;
  depth(channel: string): Promise<void>;
  cut(): Promise<void>;
}

const utf8 = { of: new TextEncoder(), text: new TextDecoder() };

/** Plays one scenario on one system, and gives what was seen. */
export async function play(
  side: Side,
  meeting: Meeting,
  scenario: (t: Stage) => Promise<void>,
): Promise<readonly string[]> {
  const place = meeting.join();
  const trace: string[] = [];
  let fresh: { readonly actor: string; readonly line: string }[] = [];
  const leaves: (() => void)[] = [];
  const sinks: Sink<Uint8Array>[] = [];
  const names = new Map<string, string>();
  const see = (actor: string, line: string): void => {
    fresh.push({ actor, line });
    place.show();
  };
  async function rest(): Promise<void> {
    await place.rest();
    const actors = [...new Set(fresh.map(({ actor }) => actor))].sort();
    for (const actor of actors) trace.push(...fresh.filter((one) => one.actor === actor).map(({ line }) => line));
    fresh = [];
  }

  const t: Stage = {
    rest,
    deadOf: (channel) => side.deadOf(channel),
    async channel(options = {}) {
      const name = await side.channel(options);
      names.set(name, `channel ${names.size + 1}`);
      if (options.deadLetters === true) names.set(side.deadOf(name), `dead of channel ${names.size}`);
      return name;
    },
    async publish(channel, texts, { key, header } = {}) {
      const sink = side.sink(channel, {});
      sinks.push(sink);
      for (const text of texts.split(' ')) {
        const { message, settled } = recorder();
        sink.next(
          message(utf8.of.encode(text), {
            topic: channel,
            ...(key === undefined ? {} : { key }),
            ...(header === undefined ? {} : { headers: { header } }),
          }),
        );
        while (settled.length === 0) await pause(1);
        trace.push(`sent ${text}: ${settled[0]?.outcome}`);
      }
      await rest();
    },
    async read(channel, name, options, change = (flow) => flow) {
      const held: { readonly text: string; readonly message: Message<Uint8Array> }[] = [];
      const first = new Map<string, Message<Uint8Array>>();
      const settle = (verb: string, text: string, how: (message: Message<Uint8Array>) => boolean): void => {
        const at = held.findIndex((one) => one.text === text);
        if (at === -1) throw new Error(`${name} holds no ${text}`);
        const [one] = held.splice(at, 1);
        see(name, `${name} ${verb} ${text}: ${one !== undefined && how(one.message)}`);
      };
      const before = await side.readers(channel);
      const subscription = change(side.source(channel, { closeTimeoutMs: 0, ...options })).subscribe({
        next(message) {
          const text = utf8.text.decode(message.payload);
          held.push({ text, message });
          if (!first.has(text)) first.set(text, message);
          const about = [message.key, message.headers['header']].filter((one) => one !== undefined).join(' ');
          see(name, `${name} got ${text} #${message.attempt}${about === '' ? '' : ` (${about})`}`);
        },
        error: (error: unknown) => see(name, `${name} failed ${isSluiceError(error) ? error.code : String(error)}`),
        complete: () => see(name, `${name} completed`),
      });
      leaves.push(() => subscription.unsubscribe());
      // Who comes first is served first.
      while ((await side.readers(channel)) <= before) await pause(5);
      await rest();
      return {
        ack: (...texts) => texts.forEach((text) => settle('ack', text, (message) => message.ack())),
        nack: (then, ...texts) =>
          texts.forEach((text) => settle(then, text, (message) => message.nack(new Error('scenario'), then))),
        late: (text) => see(name, `${name} late ack ${text}: ${first.get(text)?.ack()}`),
        leave() {
          see(name, `${name} leaves`);
          subscription.unsubscribe();
        },
      };
    },
    async depth(channel) {
      await rest();
      trace.push(`${names.get(channel)}: ${await side.depth(channel)} wait`);
    },
    async cut() {
      await rest();
      trace.push('cut');
      side.cut();
      await rest();
    },
  };
  try {
    await scenario(t);
    await rest();
    return trace;
  } finally {
    place.leave();
    for (const leave of leaves) leave();
    for (const sink of sinks) sink.complete();
  }
}
