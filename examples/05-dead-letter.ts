// What cannot be read or handled is kept with the reason, and the flow goes on. Needs nothing.
import { take } from 'rxjs';
import {
  deadLetter,
  decode,
  each,
  HEADERS,
  headerText,
  json,
  memoryBroker,
  memorySink,
  memorySource,
  run,
  text,
} from 'sluice';

interface Order {
  readonly id: number;
  readonly amount: number;
}

const broker = memoryBroker();
for (const payload of ['{"id":1,"amount":5}', '{"id":2,', '{"id":3,"amount":-1}']) {
  broker.publish({ topic: 'orders', payload: text().encode(payload) });
}

function check(order: Order): Order {
  if (order.amount <= 0) throw new Error('an order needs an amount');
  return order;
}

// Right behind the source, it keeps the bytes as they came, whatever stage gives the message up.
const checked = memorySource<Uint8Array>(broker, { topic: 'orders' }).pipe(
  take(3),
  deadLetter(memorySink(broker, { topic: 'orders.dead' })),
  decode(json<Order>()),
  each(check, { onError: 'dead' }),
);
await run(checked, memorySink(broker, { topic: 'checked' })).done;
console.log(`${broker.peek.depth('checked')} checked`);

// A dead letter is a message like any other: it can be read, cured and sent again.
memorySource<Uint8Array>(broker, { topic: 'orders.dead' }).subscribe((letter) => {
  const [code, stage] = [HEADERS.deadCode, HEADERS.deadStage].map((name) => headerText(letter.headers, name));
  console.log(`${text().decode(letter.payload)} ${code} in ${stage}`);
  letter.ack();
});

// Output:
// 1 checked
// {"id":2, DECODE_FAILED in decode(json)
// {"id":3,"amount":-1} HANDLER_FAILED in each(check)
