// A loop: the sink writes to the topic that the source reads, so results come round again. Needs nothing.
import { takeWhile } from 'rxjs';
import { each, memoryBroker, memorySink, memorySource, run } from 'sluice';

interface Search {
  readonly low: number;
  readonly high: number;
}

const broker = memoryBroker();
const secret = 77;

// Each round is one message: it is acked once the next one is with the broker, so a crash repeats at most one round.
const searching = run(
  memorySource<Search>(broker, { topic: 'search', credit: 1 }).pipe(
    takeWhile(({ payload }) => payload.low < payload.high, true), // the last one ends the loop
    each(({ low, high }) => {
      const middle = Math.floor((low + high) / 2);
      console.log(low === high ? `it is ${low}` : `${low} to ${high}: is it above ${middle}?`);
      if (low === high) return undefined; // no result: acked, and nothing comes round again
      return secret > middle ? { low: middle + 1, high } : { low, high: middle };
    }),
  ),
  memorySink(broker, { topic: 'search' }),
);

broker.publish({ topic: 'search', payload: { low: 1, high: 100 } });
const { clean } = await searching.done;
console.log(`clean: ${clean}, left: ${broker.peek.depth('search')}`);

// Output:
// 1 to 100: is it above 50?
// 51 to 100: is it above 75?
// 76 to 100: is it above 88?
// 76 to 88: is it above 82?
// 76 to 82: is it above 79?
// 76 to 79: is it above 77?
// 76 to 77: is it above 76?
// it is 77
// clean: true, left: 0
