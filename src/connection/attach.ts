import { Observable, type Observer, type Subscription } from 'rxjs';
import type { Cancel } from '../clock.js';
import type { SluiceError } from '../errors.js';
import { isMessage } from '../message/envelope.js';
import type { Message } from '../message/message.js';
import type { Flow } from './flow.js';
import { configInvalid } from './options.js';
import { currentScope, type Scope, withScope } from './scope.js';

/**
 * Where a source or a stage puts its messages: whoever subscribed, or the next stage itself.
 *
 * @internal
 */
export interface Output<T> {
  /** Nothing more is wanted, or the end was said. */
  readonly closed: boolean;
  next(message: Message<T>): void;
  error(error: unknown): void;
  complete(): void;
}

// Not of the global registry: another copy of the package is subscribed to, like any Observable.
const CONNECT: unique symbol = Symbol('sluice.connect');

interface Attachable<T> {
  readonly [CONNECT]?: (output: Output<T>) => Cancel;
}

/**
 * A flow whose messages reach the next of our own stages by one call. Everybody else subscribes to it as to any Observable,
 * through a subscriber that costs each message several calls.
 *
 * @internal
 */
export function attachable<T>(connect: (output: Output<T>) => Cancel): Flow<T> {
  const flow = new Observable<Message<T>>((output) => {
    const scope = scopeOf(output);
    return scope === undefined ? connect(output) : withScope(scope, () => connect(output));
  });
  return Object.defineProperty(flow, CONNECT, { value: connect });
}

/**
 * Subscribes to a flow, directly where it can be. The output must not throw, and must take nothing once it is closed.
 *
 * @internal
 */
export function attach<T>(flow: Flow<T>, output: Output<T>): Cancel {
  const connect = (flow as Attachable<T>)[CONNECT];
  if (connect === undefined) {
    const subscription = subscribeTo(flow, output);
    return () => subscription.unsubscribe();
  }
  try {
    return connect(output);
  } catch (error) {
    output.error(error);
    return () => undefined;
  }
}

/** The scopes of subscribers that {@link subscribeTo} handed to somebody else's Observable. */
const scopes = new WeakMap<object, Scope>();

/**
 * Subscribes to what operators of RxJS may be part of. They subscribe to sources at any time, as `mergeMap` does, and `retry`
 * after its delay: those belong to the scope that is in force now.
 *
 * @internal
 */
export function subscribeTo<T>(flow: Flow<T>, observer: Observer<Message<T>>): Subscription {
  const scope = currentScope();
  const isOurs = (flow as Attachable<T>)[CONNECT] !== undefined;
  const entry = isOurs ? observer : new Entry<T>(observer);
  const whole =
    scope === undefined
      ? flow
      : new Observable<Message<T>>((subscriber) => {
          scopes.set(subscriber, scope);
          flow.subscribe(subscriber);
        });
  const subscription = whole.subscribe(entry);
  if (entry instanceof Entry) entry.endWith(subscription);
  return subscription;
}

/**
 * Where messages come in from an Observable of somebody else's: its first value shows whether it gives messages at all. What
 * gives others ends with an error that says so, before a stage stumbles over them.
 */
class Entry<T> implements Observer<Message<T>> {
  private readonly observer: Observer<Message<T>>;
  private isChecked = false;
  private hasFailed = false;
  private subscription: Subscription | undefined = undefined;

  constructor(observer: Observer<Message<T>>) {
    this.observer = observer;
  }

  endWith(subscription: Subscription): void {
    this.subscription = subscription;
    if (this.hasFailed) subscription.unsubscribe();
  }

  next(message: Message<T>): void {
    if (this.isChecked) this.observer.next(message);
    else this.first(message);
  }

  error(error: unknown): void {
    if (!this.hasFailed) this.observer.error(error);
  }

  complete(): void {
    if (!this.hasFailed) this.observer.complete();
  }

  private first(value: Message<T>): void {
    if (this.hasFailed) return;
    this.isChecked = isMessage(value);
    if (this.isChecked) {
      this.observer.next(value);
      return;
    }
    this.hasFailed = true;
    this.subscription?.unsubscribe();
    this.observer.error(noMessage(value));
  }
}

function noMessage(value: unknown): SluiceError {
  const kind = value === null ? 'null' : typeof value;
  const cure = `put messages() or fromAsyncIterable() in front of plain values, and change payloads with payload() instead of map()`;
  return configInvalid('flow', [`expected messages, got a value of type ${kind}: ${cure}`]);
}

/**
 * The scope that something subscribed by `output` belongs to, whenever that is.
 *
 * @internal
 */
export function scopeOf(output: unknown): Scope | undefined {
  return scopeBehind(output) ?? currentScope();
}

/**
 * The scope at the end of a chain of operators. RxJS says nowhere who is behind a subscriber, but its own keep it in `destination`.
 * Where they do not, nobody is found, and a source that is subscribed late is one without a scope.
 */
function scopeBehind(output: unknown): Scope | undefined {
  let at = output;
  while (typeof at === 'object' && at !== null) {
    const scope = scopes.get(at);
    if (scope !== undefined) return scope;
    at = (at as { readonly destination?: unknown }).destination;
  }
  return undefined;
}
