// One event, many subscribers: each service gets every event, and a slow one keeps nobody waiting. Needs nothing.
import { take } from 'rxjs';
import { memoryBroker, memorySource, toAsyncIterable } from 'sluice';

const broker = memoryBroker();

/** What a service reads of a topic, until it has so many. A name of its own makes it a subscriber of its own. */
async function reads(service: string, topic: string, count: number, before?: Promise<unknown>): Promise<string> {
  const seen: string[] = [];
  const events = memorySource<string>(broker, { topic, group: service, credit: 1 }).pipe(take(count));
  for await (const { payload } of toAsyncIterable(events)) {
    await before;
    seen.push(payload);
  }
  return `${service} read ${topic}: ${seen.join(', ')}`;
}

const all = Promise.all([
  reads('screen', 'md.price.v1', 3), // market data
  reads('risk', 'md.price.v1', 3),
  reads('engine', 'config.changed.v1', 2), // configuration
  reads('risk', 'config.changed.v1', 2),
  reads('screen', 'system.notice.v1', 1), // notifications
]);
// It touches its first price when all others have theirs.
const slow = reads('archive', 'md.price.v1', 3, all);

const publish = (topic: string, ...events: readonly string[]): void => {
  for (const payload of events) broker.publish({ topic, payload });
};
publish('md.price.v1', 'BTC 100', 'ETH 10', 'BTC 101');
publish('config.changed.v1', 'fee=1', 'fee=2');
publish('system.notice.v1', 'closing at 18:00');

for (const line of await all) console.log(line);
console.log(await slow);

// Output:
// screen read md.price.v1: BTC 100, ETH 10, BTC 101
// risk read md.price.v1: BTC 100, ETH 10, BTC 101
// engine read config.changed.v1: fee=1, fee=2
// risk read config.changed.v1: fee=1, fee=2
// screen read system.notice.v1: closing at 18:00
// archive read md.price.v1: BTC 100, ETH 10, BTC 101
