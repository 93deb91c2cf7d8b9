import type { Observable, Observer } from 'rxjs';
import type { SluiceError } from '../errors.js';
import type { Message } from '../message/message.js';
import type { Status } from '../observability/status.js';

/**
 * What a source emits: a cold Observable of messages, each to be settled once. One subscription is one consumer.
 *
 * @see Message
 */
export type Flow<T> = Observable<Message<T>>;

/**
 * From flow to flow: operator, mapper, middleware, module and loop are all this. It fits `flow.pipe(…)`, and as a plain
 * function it needs nothing of RxJS but the Observable.
 * @see Flow
 */
export type Stage<I, O> = (source: Flow<I>) => Flow<O>;

/**
 * An Observer of messages that settles every message it gets, after the far side confirmed. `complete` flushes and
 * closes; a message given to it after that is handed back, with the event `stage.failed` and SINK_CLOSED. Several flows may
 * give to one: `run` and the stages complete it with the last of them.
 *
 * @see defineSink
 */
export interface Sink<T> extends Observer<Message<T>> {
  /** The connector's name, for graphs and reports. */
  readonly name?: string;
  readonly status$?: Observable<Status>;
  /** Resolves when everything was settled and the far side is closed, after `complete` or `error`. */
  readonly closed?: Promise<void>;
  /** Why it closed by itself. */
  readonly failure?: SluiceError | undefined;
}
