import { Observable, type Subscriber } from 'rxjs';
import type { Cancel } from '../clock.js';
import type { Sink } from '../connection/flow.js';
import type { Scope, SourceHandle } from '../connection/scope.js';
import type { SluiceEvent } from '../observability/events.js';
import type { Fault } from './running.js';

/** From here on sources that have ended are forgotten. */
const MANY_SOURCES = 64;

/**
 * The sources of a running flow, those that are subscribed later included, what they tell of their messages, and its sinks.
 *
 * @internal
 */
export class FlowScope implements Scope {
  readonly sources: SourceHandle[] = [];
  /** The one at the end, then those inside of the flow that are not closed, each with how many of its stages give to it. */
  readonly sinks: Map<Sink<never>, number>;
  readonly faults$: Observable<Fault>;
  private readonly watchers = new Set<Subscriber<Fault>>();
  private readonly intakes = new Set<() => void>();
  /** So many sources are known before those that have ended are looked for: it doubles with those that have not. */
  private forgetAt = MANY_SOURCES;
  private isDraining = false;
  private isOver = false;

  constructor(sink: Sink<never>) {
    this.sinks = new Map([[sink, 1]]);
    this.faults$ = new Observable((watcher) => {
      if (this.isOver) watcher.complete();
      this.watchers.add(watcher);
      return () => void this.watchers.delete(watcher);
    });
  }

  addSource(source: SourceHandle): void {
    const { sources } = this;
    // Each try of a `retry` subscribes another one, and so does each message before a `mergeMap`.
    if (sources.length >= this.forgetAt) {
      const open = sources.filter(isOpen);
      sources.length = 0;
      for (const one of open) sources.push(one);
      this.forgetAt = Math.max(MANY_SOURCES, 2 * open.length);
    }
    sources.push(source);
    // It is not needed any more, and has not begun yet.
    if (this.isDraining) source.drain();
  }

  /** A branch that is subscribed again may make a new one each time. */
  addSink(sink: Sink<never>): Cancel {
    const { sinks } = this;
    let isGiven = true;
    sinks.set(sink, (sinks.get(sink) ?? 0) + 1);
    return () => {
      if (!isGiven) return;
      isGiven = false;
      const left = (sinks.get(sink) ?? 0) - 1;
      if (left > 0) sinks.set(sink, left);
      else sinks.delete(sink);
    };
  }

  addIntake(end: () => void): Cancel {
    if (this.isDraining) end();
    else this.intakes.add(end);
    return () => void this.intakes.delete(end);
  }

  event(event: SluiceEvent): void {
    if ('message' in event) for (const watcher of [...this.watchers]) watcher.next(event);
  }

  drain(): void {
    this.stopIntake();
    for (const source of this.sources) source.drain();
  }

  /** The same when nobody is left who takes what they emit. */
  cease(): void {
    this.stopIntake();
    for (const source of this.sources) source.drain(false);
  }

  private stopIntake(): void {
    this.isDraining = true;
    for (const end of [...this.intakes]) end();
  }

  /** Calls `closed` once every source is: what they emitted was settled then, or taken back. */
  whenClosed(closed: () => void): void {
    const open = this.sources.filter(isOpen);
    if (open.length === 0) {
      closed();
      return;
    }
    let left = open.length;
    for (const { status$ } of open) {
      status$.subscribe((status) => {
        if (status !== 'closed') return;
        left -= 1;
        if (left === 0) closed();
      });
    }
  }

  end(): void {
    this.isOver = true;
    for (const watcher of [...this.watchers]) watcher.complete();
  }
}

function isOpen({ status }: SourceHandle): boolean {
  return status !== 'closed';
}
