import { setTimeout as pause } from 'node:timers/promises';
import { isSluiceError, type Flow, type Message, type NackThen, type Sink, type SourceOptions } from 'sluice';
import type { SinkOptions } from 'sluice/connection';
import { withScope, type SourceHandle } from '../../src/connection/scope.js';
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
  /** Deliveries to one reader are counted. */
  | 'attempts'
  /** A delivery is told from the first one also when that was to another reader, or over another line. */
  | 'redeliveries'
  /** Not so one that was read ahead and never emitted. */
  | 'read ahead unmarked'
  /** Such deliveries are counted. */
  | 'counted redeliveries'
  | 'cut'
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
  /** How many messages wait for a reader, or are not settled, where the system tells. */
  depth?(channel: string): Promise<number>;
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
  /** Writes down how many wait, where all systems tell. */
  depth(channel: string): Promise<void>;
  cut(): Promise<void>;
}

const utf8 = { of: new TextEncoder(), text: new TextDecoder() };

/** What the systems of a comparison have in common. */
export interface Common {
  readonly abilities: ReadonlySet<Ability>;
  readonly isCounted: boolean;
}

/** Plays one scenario on one system, and gives what was seen of what all systems can show. */
export async function play(
  side: Side,
  meeting: Meeting,
  { abilities, isCounted }: Common,
  scenario: (t: Stage) => Promise<void>,
): Promise<readonly string[]> {
  const place = meeting.join();
  let isElsewhere = false;
  const trace: string[] = [];
  let fresh: { readonly actor: string; readonly line: string }[] = [];
  const leaves: (() => void)[] = [];
  const sinks: Sink<Uint8Array>[] = [];
  const names = new Map<string, string>();
  const attemptOf = ({ attempt }: Message<unknown>): string => {
    if (!isElsewhere || abilities.has('counted redeliveries')) return ` #${attempt}`;
    return abilities.has('redeliveries') && attempt > 1 ? ' again' : '';
  };
  /** Until the far side knows what was settled: a line that breaks earlier brings it again, and that is no difference. */
  async function known(): Promise<void> {
    const { depth } = side;
    if (isCounted && depth !== undefined) for (const channel of names.keys()) await place.agree(() => depth(channel));
  }
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
      let reader: SourceHandle | undefined;
      let isOver = false;
      const flow = change(side.source(channel, { closeTimeoutMs: 0, ...options }));
      const subscription = withScope({ addSource: (source) => void (reader = source) }, () =>
        flow.subscribe({
          next(message) {
            const text = utf8.text.decode(message.payload);
            held.push({ text, message });
            if (!first.has(text)) first.set(text, message);
            const about = [message.key, message.headers['header']].filter((one) => one !== undefined).join(' ');
            see(name, `${name} got ${text}${attemptOf(message)}${about === '' ? '' : ` (${about})`}`);
          },
          error(error: unknown) {
            isOver = true;
            see(name, `${name} failed ${isSluiceError(error) ? error.code : String(error)}`);
          },
          complete() {
            isOver = true;
            isElsewhere = true;
            see(name, `${name} completed`);
          },
        }),
      );
      leaves.push(() => subscription.unsubscribe());
      // Who comes first is served first.
      while (reader?.status !== 'connected' && !isOver) await pause(1);
      await rest();
      return {
        ack: (...texts) => texts.forEach((text) => settle('ack', text, (message) => message.ack())),
        nack: (then, ...texts) =>
          texts.forEach((text) => settle(then, text, (message) => message.nack(new Error('scenario'), then))),
        late: (text) => see(name, `${name} late ack ${text}: ${first.get(text)?.ack()}`),
        leave() {
          isElsewhere = true;
          see(name, `${name} leaves`);
          subscription.unsubscribe();
        },
      };
    },
    async depth(channel) {
      await rest();
      const { depth } = side;
      if (!isCounted || depth === undefined) return;
      trace.push(`${names.get(channel)}: ${await place.agree(() => depth(channel))}`);
    },
    async cut() {
      await rest();
      await known();
      trace.push('cut');
      isElsewhere = true;
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
