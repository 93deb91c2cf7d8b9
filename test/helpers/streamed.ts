import { defineSource, type ReaderContext } from 'sluice/connection';
import { run, type Sink } from 'sluice';

/** Messages for a sink, sent when a test says so. */
export interface Stream {
  send(count: number): void;
  /** So many a second from now on, as far as the sink takes them. */
  keepOn(perSecond: number): void;
  /** Sends no more, and resolves once all is confirmed. */
  end(): Promise<void>;
}

/** Writes to a sink for as long as a test needs. What the sink hands back is sent again. */
export function streamed(sink: Sink<Uint8Array>, bytes = 64): Stream {
  const payload = new Uint8Array(bytes).fill(120);
  let open: ReaderContext<Uint8Array> | undefined;
  let due = 0;
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const flow = defineSource<Uint8Array>(
    {
      connector: 'stream',
      credit: 1_000,
      open(context) {
        open = context;
        context.wake();
        return {
          resume() {
            for (; due > 0 && context.ready; due -= 1) context.offer({ payload, topic: 'stream', position: undefined });
            if (isOver && due === 0) context.end();
          },
          settle(_position, outcome) {
            if (outcome === 'requeue' || outcome === 'release') due += 1;
            context.wake();
          },
          close: () => undefined,
        };
      },
    },
    { maxAttempts: 1_000_000 },
  );
  const running = run(flow, sink);
  const send = (count: number): void => {
    due += count;
    open?.wake();
  };
  return {
    send,
    keepOn(perSecond) {
      timer = setInterval(() => send(Math.ceil(perSecond / 20)), 50);
    },
    async end() {
      clearInterval(timer);
      isOver = true;
      open?.wake();
      await running.done;
    },
  };
}
