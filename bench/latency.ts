import { Subject } from 'rxjs';
import { messages, run, type Flow, type Sink } from 'sluice';
import { verdict } from './compare.js';
import { settings, sized } from './settings.js';

/** An open way from a publisher to a handler. */
export interface Way {
  send(text: string): void;
  close(): Promise<void>;
}

/** Opens one whose handler calls `take` with each text. */
export type OpenWay = (take: (text: string) => void) => Promise<Way>;

const PER_MS = 1;
const BYTES = 256;
const AT_MOST = 1.1;
const PACED = sized(8_000);

/** One of ours: what is sent goes into the sink, what comes out of the source is taken and acked. */
export function sluiceWay(sink: Sink<Uint8Array>, flow: Flow<Uint8Array>, take: (text: string) => void): Way {
  const sent = new Subject<Uint8Array>();
  const running = run(sent.pipe(messages({ overflow: 'close', credit: PACED })), sink);
  const subscription = flow.subscribe((message) => {
    take(Buffer.from(message.payload).toString());
    message.ack();
  });
  return {
    send: (text) => sent.next(Buffer.from(text)),
    async close() {
      sent.complete();
      await running.done;
      subscription.unsubscribe();
    },
  };
}

/** Compares the 99th of a hundred latencies, from just before publishing to the handler, in paired rounds. */
export async function compareLatency(ours: OpenWay, bare: OpenWay, at = ''): Promise<void> {
  const title = `latency, 99th of a hundred, ${BYTES} B at 1,000/s${at}`;
  if (settings.only !== undefined && !title.includes(settings.only)) return;
  const own: number[] = [];
  const theirs: number[] = [];
  // Compiled code is what a server runs: one round of each does not count.
  for (const open of [ours, bare]) await latencyMs(open);
  for (let round = 0; round < Math.min(settings.rounds, 7); round += 1) {
    const isFirst = round % 2 === 0;
    if (isFirst) own.push(await latencyMs(ours));
    theirs.push(await latencyMs(bare));
    if (!isFirst) own.push(await latencyMs(ours));
  }
  const ratio = middle(own.map((ms, round) => ms / (theirs[round] as number)));
  console.log(`\n${title}: ours ${middle(own).toFixed(2)} ms, bare client ${middle(theirs).toFixed(2)} ms`);
  const wanted = `≤ × ${AT_MOST.toFixed(2)}`;
  verdict({ title, met: ratio <= AT_MOST, seen: `× ${ratio.toFixed(2)}`, wanted });
}

async function latencyMs(open: OpenWay): Promise<number> {
  const tookMs: number[] = [];
  let take: (text: string) => void = () => undefined;
  const way = await open((text) => take(text));
  // Both ends are there and have done it once.
  await new Promise<void>((resolve) => {
    take = () => resolve();
    way.send('first');
  });
  const all = new Promise<void>((resolve) => {
    take = (text) => {
      tookMs.push(performance.now() - Number(text));
      if (tookMs.length === PACED) resolve();
    };
  });
  await paced((text) => way.send(text));
  await all;
  await way.close();
  return tookMs.sort((a, b) => a - b)[Math.floor(PACED * 0.99)] as number;
}

async function paced(send: (text: string) => void): Promise<void> {
  let sent = 0;
  const fromMs = performance.now();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(PACED, Math.floor((performance.now() - fromMs) * PER_MS));
      while (sent < due) {
        sent += 1;
        send(String(performance.now()).padEnd(BYTES));
      }
      if (sent < PACED) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}

const middle = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] as number;
