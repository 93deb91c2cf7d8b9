// Runs in a browser, for test/integration/browser.test.ts.
import { backoff, decode, encode, fromAsyncIterable, json, observe, run, type Message } from 'sluice';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';
import { say, setting } from '../helpers/page.js';

const CREDIT = 4;
const link = mqttLink({ url: setting('url'), clientId: 'page', reconnect: backoff({ initialMs: 20, maxMs: 200 }) });

async function publish(names: string): Promise<void> {
  await run(fromAsyncIterable(names).pipe(encode(json())), mqttSink(link, { topic: 'work' })).done;
  say('published', names);
}

let unsettled = 0;
function settle(message: Message<string>): void {
  unsettled -= 1;
  const { payload, attempt } = message;
  const isRequeued = payload === 'c' && attempt === 1;
  // False where it was taken back: then there is another copy of it.
  const counted = isRequeued ? message.nack('once more', 'requeue') : message.ack();
  say(counted ? 'settled' : 'stale', `${payload} ${attempt}`);
}

// The first four are held until all are published, and x, y and z until the broker was lost; the rest is settled as it comes.
const held: Message<string>[] = [];
const isHeld = ({ payload, attempt }: Message<string>): boolean =>
  attempt === 1 && (held.length < CREDIT || (payload >= 'x' && payload <= 'z'));

const subscription = mqttSource(link, { topics: 'work', credit: CREDIT, requeueDelayMs: 5 })
  .pipe(decode(json<string>()))
  .subscribe((message) => {
    unsettled += 1;
    say('unsettled', unsettled);
    if (isHeld(message)) {
      held.push(message);
      say('held', message.payload);
    } else settle(message);
    if (message.payload === 'w') subscription.unsubscribe();
  });

observe((event) => {
  if (event.type !== 'status.changed' || event.connector !== 'mqtt') return;
  say('status', event.to);
  if (event.to !== 'reconnecting' || held.length <= CREDIT) return;
  for (const message of held.splice(CREDIT)) settle(message);
  void publish('w');
});

await publish('abcdefghij');
for (const message of held) settle(message);
