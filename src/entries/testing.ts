export { seededRandom } from '../testing/seeded-random.js';
export { testSchedulerClock } from '../testing/test-scheduler-clock.js';
export { virtualClock, type VirtualClock, type VirtualClockOptions } from '../testing/virtual-clock.js';
export {
  testSource,
  type TestRecord,
  type TestSource,
  type TestSourceEvent,
  type TestSourceOptions,
} from '../testing/test-source.js';
export {
  flowTest,
  type FlowTest,
  type FlowTestOptions,
  type LanesExpectation,
  type OfferOptions,
} from '../testing/flow-test.js';
export { checkHistory, type HistoryReport, type LossPlaces } from '../testing/check-history.js';
export { history, type DeliveredDetails, type History, type HistoryEvent } from '../testing/history.js';
export type { CaseId } from '../testing/case-id.js';
export {
  conformance,
  runCase,
  type CaseRecord,
  type CaseResult,
  type ConformanceOptions,
  type RunCaseOptions,
  type Runner,
} from '../testing/connector-suite.js';
export { guaranteeOf, type Guarantee } from '../testing/guarantee.js';
export type { Direction } from '../testing/direction.js';
export type { Features, Flag, Reason } from '../testing/features.js';
export type {
  AuthVerbs,
  Bench,
  BenchKit,
  BenchSourceOptions,
  BrokerVerbs,
  DefaultRow,
  Fed,
  Harness,
  NetVerbs,
  PeekVerbs,
  ProcVerbs,
  StoreVerbs,
  Verb,
} from '../testing/harness.js';
