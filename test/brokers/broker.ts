/** A broker that a test may use, and one of its own may be hurt. `await using broker = await rabbitmq();` */
export interface Broker {
  /** Where clients connect to; for Kafka `host:port`. */
  readonly url: string;
  readonly port: number;
  /** Which one it is and where it comes from, for a person. */
  readonly how: string;
  /** Whether it was started for this test alone. The verbs below need that: someone else's broker is not ended. */
  readonly isOwn: boolean;
  /**
   * Sends a signal to all its processes; resolves once it has ended, or at once for `SIGSTOP` and `SIGCONT`. The default is
   * `SIGKILL`. Nothing is sent to one that does not run.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it in order, as an operator would. */
  stop(): Promise<void>;
  /** Starts it again on the same port and data; resolves once it serves clients. */
  start(): Promise<void>;
  /** The end of its log, where it writes one that is at hand. */
  readonly log?: () => Promise<string>;
  /** Ends it and takes its data away. Also at the end of `await using`. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** There is no such broker here, or it did not start. Its message is the reason that skipped tests show. */
export class BrokerMissing extends Error {
  override readonly name: string = 'BrokerMissing';
}

/** A broker, or what else a test needs of a machine, that was found. `open` starts it where that is needed. */
export interface Found<B = Broker> {
  readonly how: string;
  open(): Promise<B>;
}

/** One way to come by a broker: what it found, or in words why it found nothing. */
export type Way<B = Broker> = () => Promise<Found<B> | string>;
