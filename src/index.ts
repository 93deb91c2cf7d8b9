export { currentClock, systemClock, useClock, type Cancel, type Clock } from './clock.js';
export {
  ERROR_CODES,
  isSluiceError,
  SluiceError,
  type ErrorCode,
  type ErrorDetails,
  type SluiceErrorOptions,
} from './errors.js';

export type { Message, MessagePatch, NackThen, ReplyPort } from './message/message.js';
export { isMessage } from './message/envelope.js';
export { HEADERS, headerText, NO_HEADERS, type HeaderValue, type MessageHeaders } from './message/headers.js';
export { batchPartial } from './message/batch-partial.js';
export { fork, join, type ForkSettle } from './message/settlement.js';
export type { Flow, Sink, Stage } from './connection/flow.js';
export type { Duplex } from './connection/duplex.js';
export type { MessageFacts, SluiceEvent } from './observability/events.js';
export { observe } from './observability/observe.js';
export type { Status } from './observability/status.js';

export { memoryBroker, type MemoryBroker, type MemoryPeek } from './links/memory.js';
export { memoryLink, type MemoryLink, type MemoryLinkOptions } from './links/memory-link.js';
export type { MemoryAccess } from './links/memory-access.js';
export type { MemoryFaults } from './links/memory-faults.js';
export type { MemoryBrokerOptions, MemoryOverflow, MemoryTopicOptions } from './links/memory-options.js';
export type { MemoryMeta, MemoryPublish } from './links/memory-record.js';
export type { MemoryReceipt } from './links/memory-topic.js';
export { memorySource, type MemorySourceOptions } from './sources/memory.js';
export type { Overflow, SourceOptions } from './connection/define-source.js';
export type { SourceCounts, Unfinished } from './connection/scope.js';
export { backoff, type Backoff, type BackoffOptions } from './connection/backoff.js';

export {
  MAX_PAYLOAD_BYTES,
  type Mapper,
  type RecordMapper,
  type RecordPlace,
  type SplitRecord,
  type Splitter,
  type SplitStart,
} from './mappers/codec.js';
export { bytes, type BytesOptions } from './mappers/bytes.js';
export { json } from './mappers/json.js';
export type { JsonLimits, JsonNumbers, JsonOptions } from './mappers/json-rules.js';
export { lines, type LinesOptions } from './mappers/lines.js';
export { ndjson } from './mappers/ndjson.js';
export type { SchemaIssue, SchemaOutput, SchemaResult, StandardSchemaV1 } from './mappers/standard-schema.js';
export { text, type TextOptions } from './mappers/text.js';
export { validate } from './mappers/validate.js';
export { validateAsync } from './mappers/validate-async.js';

export { each, type EachOptions, type Try, type Work, type WorkResult } from './operators/each.js';
export { payload } from './operators/payload.js';
export { where } from './operators/where.js';
export { batch, type BatchOptions } from './operators/batch.js';
export { busy, type BusyOptions } from './operators/busy.js';
export { dedupe, type DedupeOptions } from './operators/dedupe.js';
export { fanout, type FanoutBranch, type FanoutOptions, type FanoutOutput } from './operators/fanout.js';
export { latest, type LatestOptions } from './operators/latest.js';
export { lossy, type LossyMode } from './operators/lossy.js';
export { tapMessage } from './operators/tap-message.js';
export { through } from './operators/through.js';
export { unbatch } from './operators/unbatch.js';

export { route, type RouteOptions } from './router/route.js';
export { loopGuard, type LoopGuardOptions } from './router/loop-guard.js';
export type { RouteMatch } from './router/compile-rules.js';
export type { BranchOverflow, RouteOutput, Rule } from './router/rule.js';
export type {
  AndMatcher,
  Condition,
  FieldMatcher,
  HeaderMatcher,
  KeyMatcher,
  Matcher,
  NotMatcher,
  Ordered,
  OrMatcher,
  Scalar,
  SequenceMatcher,
  TopicMatcher,
  ValueTest,
  When,
} from './router/matcher.js';
export { and, field, header, key, not, or, topic } from './router/matchers.js';
export { between, equals, exists, greaterThan, lessThan, oneOf } from './router/value-tests.js';
export { pattern } from './router/pattern.js';
export { sequence, type SequenceOptions } from './router/sequence.js';
export { topicIndex, type TopicIndex } from './router/topic-index.js';
export { topicPattern, type TopicPattern, type TopicSyntax } from './router/topic-pattern.js';

export { memorySink, type MemorySinkOptions } from './sinks/memory.js';
export type { SinkOptions } from './connection/define-sink.js';

export { run } from './runtime/run.js';
export type { Fault, Running, RunOptions, RunStatus } from './runtime/running.js';
export { topology, type Topology, type TopologyOptions, type TopologyReport } from './runtime/topology.js';
export { describe, type Graph, type GraphEdge, type GraphNode } from './runtime/describe.js';
export { mermaid } from './runtime/mermaid.js';
export type { DrainReport } from './runtime/drain.js';
export type { Health, SinkHealth, SourceHealth } from './runtime/health.js';
export { flow } from './operators/flow.js';
export { fromAsyncIterable, type ValuesOptions } from './operators/from-async-iterable.js';
export { fromReadableStream } from './operators/from-readable-stream.js';
export { messages, type MessagesOptions } from './operators/messages.js';
export { toAsyncIterable } from './operators/to-async-iterable.js';
export { toReadableStream } from './operators/to-readable-stream.js';
export { values } from './operators/values.js';
export { deadLetter, type DeadLetterOptions } from './operators/dead-letter.js';
export { decode } from './operators/decode.js';
export { deliver } from './operators/deliver.js';
export { encode } from './operators/encode.js';
