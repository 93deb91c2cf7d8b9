import type { Clock } from '../clock.js';
import type { SluiceError } from '../errors.js';
import type { Link } from './define-link.js';
import type { Reader, SourceSettings } from './define-source.js';
import { LinkUse } from './link-use.js';
import { called, checkArgument } from './options.js';
import { quietly } from './quietly.js';
import type { StatusCell } from './status-cell.js';
import { Supervisor } from './supervisor.js';

const READER = called('a reader with resume, settle and close', 'resume', 'settle', 'close');

/** What a source reads over, and who hears of it. */
export interface SourceLinePlan<C> {
  readonly clock: Clock;
  readonly settings: SourceSettings;
  readonly status: StatusCell;
  readonly link: Link<C> | undefined;
  open(lost: (error: unknown) => void, connection: C): Reader | PromiseLike<Reader>;
  up(reader: Reader): void;
  down(error: unknown): void;
  /** It will not be tried again. */
  fatal(error: SluiceError): void;
}

/**
 * The reader of a source, kept open over the source's hold on its link. What it throws reaches neither the flow nor whoever
 * settles.
 *
 * @internal
 */
export class SourceLine<C> {
  /** None while it opens. */
  reader: Reader | undefined;
  private readonly supervisor: Supervisor<Reader>;
  private readonly link: LinkUse<C>;
  private readonly connector: string;
  private hasEnded = false;
  private ending: PromiseLike<void> | undefined;

  constructor(plan: SourceLinePlan<C>) {
    const { clock, settings, status } = plan;
    const link = new LinkUse(plan.link, () => this.supervisor.retry());
    this.link = link;
    this.connector = status.connector;
    this.supervisor = new Supervisor<Reader>({
      clock,
      backoff: settings.reconnect,
      connectTimeoutMs: settings.connectTimeoutMs,
      status,
      open: (lost) => link.open(lost, (connection) => plan.open(lost, connection)),
      check: (reader) => checkArgument(status.connector, 'what open gives', reader, READER),
      close: (reader) => reader.close(),
      up: (reader) => {
        this.reader = reader;
        plan.up(reader);
      },
      down: (error) => {
        this.reader = undefined;
        plan.down(error);
      },
      fatal: (error) => plan.fatal(error),
    });
  }

  start(): void {
    this.supervisor.start();
  }

  get isUp(): boolean {
    return this.reader !== undefined;
  }

  resume(): void {
    this.ask((reader) => reader.resume());
  }

  peek(): void {
    this.ask((reader) => reader.peek?.());
  }

  /** Hands back or gives up what was never emitted. */
  refuse(position: unknown, outcome: 'release' | 'drop'): void {
    this.ask((reader) => reader.settle(position, outcome, undefined, undefined));
  }

  /** One that throws is of no use any more. */
  private ask(something: (reader: Reader) => void): void {
    try {
      if (this.reader !== undefined) something(this.reader);
    } catch (error) {
      this.lose(error);
    }
  }

  leave(): boolean {
    return quietly(this.connector, () => this.reader?.leave?.()) === true;
  }

  stop(): void {
    quietly(this.connector, () => this.reader?.stop?.());
  }

  /** The reader is of no use any more: opens another one. */
  lose(error: unknown): void {
    this.supervisor.lose(error);
  }

  /** Opens another connection as well, where there is a link. */
  renew(error: unknown): void {
    if (!this.link.renew(error)) this.supervisor.lose(error);
  }

  /** Closes the reader and leaves the link, once. What it gives resolves when both are done; undefined where they are. */
  end(): PromiseLike<void> | undefined {
    if (this.hasEnded) return this.ending;
    this.hasEnded = true;
    const closing = this.supervisor.stop();
    // The link comes last: what the reader still has to say goes over its connection.
    this.ending = closing === undefined ? this.link.leave() : closing.then(() => this.link.leave());
    void this.ending?.then(() => (this.ending = undefined));
    return this.ending;
  }
}
