// Work that fails is tried again, then given up; the flow goes on. Needs nothing.
import { take } from 'rxjs';
import { backoff, each, memoryBroker, memorySink, memorySource, run } from 'sluice';

const broker = memoryBroker();
for (const payload of ['tea', 'rice', 'salt']) broker.publish({ topic: 'orders', payload });

async function bill(order: string, _message: unknown, current: { readonly number: number }): Promise<string> {
  console.log(`try ${current.number} of ${order}`);
  if (order === 'tea' && current.number < 3) throw new Error('the till is busy');
  if (order === 'rice') throw new Error('sold out');
  return `bill for ${order}`;
}

const billing = run(
  memorySource<string>(broker, { topic: 'orders' }).pipe(
    take(3),
    each(bill, {
      retry: backoff({ tries: 3, initialMs: 1 }), // 3 tries in all, with growing, jittered waits in between
      timeoutMs: 1_000, // per try
      onError: 'drop', // or requeue, dead, fail
    }),
  ),
  memorySink(broker, { topic: 'bills' }),
);
billing.faults$.subscribe((fault) => {
  if (fault.type === 'message.nacked') console.log(`${fault.then}: ${String(fault.reason)}`);
});

const { clean } = await billing.done;
console.log(`${broker.peek.depth('bills')} bills, all settled: ${clean}`);

// Output:
// try 1 of tea
// try 2 of tea
// try 3 of tea
// try 1 of rice
// try 2 of rice
// try 3 of rice
// drop: SluiceError: each(bill) failed.
// try 1 of salt
// 2 bills, all settled: true
