import { readdirSync } from 'node:fs';
import { NEVER, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { isSluiceError, json, memoryBroker, systemClock } from 'sluice';

type Callable = (...args: readonly unknown[]) => unknown;

/** What each public function takes by position: an argument that is right, or one that may be left out. */
interface Right {
  readonly value: unknown;
  readonly isOptional?: boolean;
  /** Looked at by somebody else, who says so in its own words. */
  readonly isFree?: boolean;
}

const work: Right = { value: () => undefined };
const sink: Right = {
  value: { next: () => undefined, error: () => undefined, complete: () => undefined },
};
const flow: Right = { value: NEVER };
const broker: Right = { value: memoryBroker() };
const mapper: Right = { value: json() };
/** A matcher: route looks at it. */
const free: Right = { value: work.value, isFree: true };
const list: Right = { value: [] };
const text: Right = { value: 'text' };
const options = (value: object = {}): Right => ({ value, isOptional: true });
const required = (value: object): Right => ({ value });
const scheduler = { schedule: () => undefined, now: () => 0 };
const reader = { connector: 'x', credit: 1, open: () => undefined };
const harness = { name: 'x', clock: 'virtual', features: {}, can: [], open: () => undefined };

const TABLE: Readonly<Record<string, readonly Right[]>> = {
  'index.useClock': [required(systemClock)],
  'index.observe': [work],
  'index.headerText': [required({}), text],
  'index.batchPartial': [required(new Map())],
  'index.fork': [flow, { value: 1 }],
  'index.join': [list],
  'index.memoryBroker': [options()],
  'index.memoryLink': [broker, options()],
  'index.memorySource': [broker, required({ topic: 'x' })],
  'index.memorySink': [broker, options()],
  'index.backoff': [options()],
  'index.bytes': [options()],
  'index.json': [options()],
  'index.lines': [{ value: json(), isOptional: true }, options()],
  'index.ndjson': [options()],
  'index.text': [options()],
  'index.validate': [required({})],
  'index.validateAsync': [required({})],
  'index.each': [work, options()],
  'index.busy': [work, options()],
  'index.latest': [work, options()],
  'index.through': [work, options()],
  'index.payload': [work],
  'index.where': [work],
  'index.tapMessage': [work],
  'index.batch': [required({ size: 1, maxWaitMs: 1 })],
  'index.dedupe': [required({ by: () => 'x', maxKeys: 1 })],
  'index.fanout': [{ value: [work.value] }, options()],
  'index.lossy': [work, { value: 'sync', isOptional: true }],
  'index.route': [list, options()],
  'index.loopGuard': [options()],
  'index.pattern': [text, required({ allowUserRegex: true })],
  'index.sequence': [free, free, required({ withinMs: 1 })],
  'index.topicIndex': [list, { value: 'amqp', isOptional: true }],
  'index.topicPattern': [text, { value: 'amqp', isOptional: true }],
  'index.run': [flow, { ...sink, isOptional: true }, options()],
  'index.topology': [required({}), options()],
  'index.describe': [flow, { ...sink, isOptional: true }],
  'index.mermaid': [required({ nodes: [], edges: [] })],
  'index.flow': [flow, { value: work.value, isOptional: true }],
  'index.fromAsyncIterable': [list, options()],
  'index.fromReadableStream': [required(new ReadableStream()), options()],
  'index.messages': [required({ overflow: 'close' })],
  'index.toAsyncIterable': [flow],
  'index.toReadableStream': [flow],
  'index.deadLetter': [sink, options()],
  'index.decode': [mapper],
  'index.encode': [mapper],
  'index.deliver': [sink],
  'connection.defineLink': [required({ connector: 'x', connect: work.value, disconnect: work.value }), options()],
  'connection.defineSource': [required(reader), options()],
  'connection.defineSink': [required({ ...reader, maxUnconfirmed: 1 }), options()],
  'connection.peerMissing': [text, text],
  'connection.deadLetterHeaders': [required({}), text, { value: 'line 1', isOptional: true }],
  'csv.csv': [options()],
  'file.fileSource': [required({ path: 'x' })],
  'file.fileSink': [required({ path: 'x' })],
  'file.fileOffsets': [text],
  'json-schema.jsonWithSchema': [required({})],
  'on-signal.onSignal': [required({ stop: work.value }), options()],
  'testing.virtualClock': [options()],
  'testing.testSource': [options()],
  'testing.flowTest': [work, options()],
  'testing.history': [text],
  'testing.checkHistory': [list],
  'testing.seededRandom': [{ value: 1 }],
  'testing.testSchedulerClock': [required(scheduler), { value: 1, isOptional: true }],
  'testing.conformance': [required(harness), required({ describe: work.value, it: work.value }), options()],
  'testing.guaranteeOf': [required({ ack: 'manual' })],
  'testing.runCase': [required(harness), text, options()],
  'testing-node.faultProxy': [required({ port: 1 })],
  'amqp.amqpLink': [required({ url: 'amqp://localhost' })],
  'amqp.amqpSource': [required({ reading: {}, writing: {} }), required({ queue: 'x' })],
  'amqp.amqpSink': [required({ reading: {}, writing: {} }), required({ exchange: 'x' })],
  'kafka.kafkaLink': [required({ brokers: ['localhost:9092'] })],
  'kafka.kafkaSource': [required({ use: {}, current: {} }), required({ topics: ['x'], group: 'x' })],
  'kafka.kafkaSink': [required({ use: {}, current: {} }), options()],
  'mqtt.mqttLink': [required({ url: 'mqtt://localhost' })],
  'mqtt.mqttSource': [required({ reading: {}, writing: {}, sessions: {} }), required({ topics: 'x' })],
  'mqtt.mqttSink': [required({ reading: {}, writing: {}, sessions: {} }), options()],
  'websocket.webSocketLink': [required({ url: 'ws://localhost' })],
  'websocket.webSocket': [required({ use: {}, limits: {}, channels: {} }), options()],
  'websocket.webSocketSource': [required({ use: {}, limits: {}, channels: {} }), options()],
  'websocket.webSocketSink': [required({ use: {}, limits: {}, channels: {} }), options()],
  'websocket-server.webSocketServer': [required({ port: 0 })],
};

const matcher = 'only names its arguments; route checks all of a rule, also one loaded from text';
const rule = 'makes a rule for options; a wrong one shows with its first use, in the test of the connector';
/** Who takes anything, and why. */
const EXEMPT: Readonly<Record<string, string>> = {
  'index.currentClock': 'takes nothing',
  'index.unbatch': 'takes nothing',
  'index.values': 'takes nothing',
  'index.isSluiceError': 'says of anything whether it is one',
  'index.isMessage': 'says of anything whether it is one',
  'index.SluiceError': 'a class: its own code is the one that is asked for',
  ...Object.fromEntries(
    ['and', 'or', 'not', 'field', 'header', 'key', 'topic'].map((name) => [`index.${name}`, matcher]),
  ),
  ...Object.fromEntries(
    ['between', 'equals', 'exists', 'greaterThan', 'lessThan', 'oneOf'].map((name) => [`index.${name}`, matcher]),
  ),
  ...Object.fromEntries(
    ['called', 'either', 'having', 'integer', 'numeric', 'oneOf', 'required'].map((name) => [
      `connection.${name}`,
      rule,
    ]),
  ),
  ...Object.fromEntries(
    ['anything', 'callable', 'clockLike', 'flag', 'flowLike', 'sinkLike', 'someOptions', 'text'].map((name) => [
      `connection.${name}`,
      'a rule: says of anything what is wrong with it',
    ]),
  ),
  'connection.configInvalid': 'makes the very error',
  'connection.checkArgument': 'looks at the arguments of others',
  'connection.checkOptions': 'looks at the options of others',
  'connection.isLegalStep': 'says of anything whether it is one',
  'connection.Prefix': 'a class that takes positions of any type',
  'connection.Committer': 'a class that takes what its types ask for',
  'connection.backoff': 'the same as index.backoff',
  'websocket-server.readSubscription': 'reads what a stranger sent: undefined for all else',
};

async function publicFunctions(): Promise<Map<string, Callable>> {
  const found = new Map<string, Callable>();
  const entries = readdirSync('src/entries').map((file) => file.replace('.ts', ''));
  for (const entry of ['index', ...entries]) {
    const path = entry === 'index' ? '../src/index.js' : `../src/entries/${entry}.js`;
    const exported = (await import(path)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value === 'function') found.set(`${entry}.${name}`, value as Callable);
    }
  }
  return found;
}

const functions = await publicFunctions();

/** What a call says: the text of a CONFIG_INVALID, otherwise what else came of it. */
async function said(called: string, args: readonly unknown[]): Promise<string> {
  try {
    await (functions.get(called) as Callable)(...args);
    return 'nothing';
  } catch (error) {
    return isSluiceError(error, 'CONFIG_INVALID') ? error.message : `not CONFIG_INVALID but ${String(error)}`;
  }
}

/** Something that is right nowhere in the table at this place. */
function wrongFor({ value }: Right): unknown {
  return typeof value === 'number' ? 'one' : 7;
}

describe('a wrong argument', () => {
  it('is looked for in every public function', () => {
    const known = [...Object.keys(TABLE), ...Object.keys(EXEMPT)];
    expect([...functions.keys()].filter((name) => !known.includes(name))).toEqual([]);
    expect(known.filter((name) => !functions.has(name))).toEqual([]);
  });

  describe.each(Object.entries(TABLE))('of %s', (called, args) => {
    it.each(args.map((right, at) => [at + 1, right] as const).filter(([, { isFree }]) => isFree !== true))(
      'in place %i is told with the function and what was expected',
      async (place, right) => {
        const [, owner] = called.split('.') as [string, string];
        const given = args.map(({ value }) => value);
        const wrongs = [wrongFor(right), null, ...(right.isOptional === true ? [] : [undefined])];
        for (const wrong of wrongs) {
          const text = await said(called, given.with(place - 1, wrong));
          expect(text, `${owner} given ${String(wrong)}`).toMatch(/^[\w ]+: .*(expected|missing|must|off|write)/);
          expect(text).toContain(owner.replace(/^(web\w+|file\w+|amqp\w+|kafka\w+|mqtt\w+|memory\w+)$/, ''));
        }
      },
    );
  });

  it.each<[string, string, readonly unknown[], string]>([
    ['a sink where a stage goes', 'index.flow', [NEVER, sink.value], 'run(flow, sink)'],
    ['a flow where a stage goes', 'index.flow', [NEVER, NEVER], 'a function from flow to flow'],
    ['a flow where a branch goes', 'index.fanout', [[NEVER]], 'a function from flow to flow, or a sink'],
    ['a flow that runs already', 'index.topology', [{ a: {} }], '() => run(flow, sink)'],
    ['a controller for its signal', 'index.run', [NEVER, sink.value, { signal: {} }], 'expected an AbortSignal'],
    ['a mapper for a record format', 'file.fileSink', [{ path: 'x', format: json() }], 'such as ndjson()'],
  ])('that is %s is told with what to write', async (_what, called, args, text) => {
    expect(await said(called, args)).toContain(text);
  });

  it('is told by a stage that is put behind no flow, too', async () => {
    const { each, values, messages } = await import('sluice');
    const behind = (stage: unknown) => () => (stage as (source: unknown) => unknown)(undefined);
    expect(behind(each(() => 1, { name: 'bill' }))).toThrow("bill: 'source' is missing: expected a flow");
    expect(behind(values())).toThrow("values: 'source' is missing: expected a flow");
    expect(behind(messages({ overflow: 'close' }))).toThrow("messages: 'source' is missing");
    expect(of(1)).toBeDefined();
  });
});
