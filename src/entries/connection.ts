export {
  anything,
  callable,
  called,
  checkArgument,
  checkOptions,
  clockLike,
  configInvalid,
  either,
  flag,
  flowLike,
  having,
  integer,
  numeric,
  oneOf,
  required,
  sinkLike,
  someOptions,
  text,
  type OptionRule,
  type OptionRules,
} from '../connection/options.js';
export { backoff, type Backoff, type BackoffOptions } from '../connection/backoff.js';
export { Committer, type Committed, type CommitPlan } from '../connection/committer.js';
export {
  defineLink,
  LINK_RULES,
  type Link,
  type LinkContext,
  type LinkDefinition,
  type LinkOptions,
  type LinkUser,
} from '../connection/define-link.js';
export {
  defineSink,
  SINK_RULES,
  type Sending,
  type SinkDefinition,
  type SinkOptions,
  type Writer,
  type WriterContext,
} from '../connection/define-sink.js';
export {
  defineSource,
  SOURCE_RULES,
  type Delivery,
  type DeliveryFacts,
  type Supply,
  type Overflow,
  type Reader,
  type ReaderContext,
  type SourceDefinition,
  type SourceOptions,
} from '../connection/define-source.js';
export type { Flow, Sink, Stage } from '../connection/flow.js';
export { peerMissing } from '../connection/load-peer.js';
export { Prefix } from '../connection/prefix.js';
export { deadLetterHeaders } from '../message/dead-letter.js';
export type { Outcome } from '../message/settlement.js';
export { isLegalStep, type Status } from '../observability/status.js';
