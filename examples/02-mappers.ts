// Mappers turn bytes into values and back. They need no stream, so they are tried without one. Needs nothing.
import { isSluiceError, json, ndjson, text } from 'sluice';

interface Order {
  readonly id: number;
  readonly amount: number;
}

const order = json<Order>();
const bytes = order.encode({ id: 1, amount: 59.9 });
console.log(`${order.contentType}, ${bytes.length} bytes, amount ${order.decode(bytes).amount}`);

// What is not JSON, or would do harm, is refused with a code; nothing of the payload is in the error.
for (const bad of ['{"id": 1', '{"__proto__": {"admin": true}}', '['.repeat(5_000)]) {
  try {
    order.decode(text().encode(bad));
  } catch (error) {
    if (isSluiceError(error)) console.log(error.code);
  }
}

// A record mapper cuts files into records, wherever a chunk ends; a bad record has its place and ends nothing.
const splitter = ndjson<Order>().splitter();
for (const chunk of ['{"id":2,"amo', 'unt":5}\n{"id":\n{"id":4,"amount":7}\n']) {
  for (const { line, offset, value, error } of splitter.push(text().encode(chunk))) {
    console.log(`line ${line}, byte ${offset}: ${error === undefined ? `order ${value.id}` : error.code}`);
  }
}

// Output:
// application/json, 22 bytes, amount 59.9
// DECODE_FAILED
// SCHEMA_INVALID
// LIMIT_DEPTH
// line 1, byte 0: order 2
// line 2, byte 20: DECODE_FAILED
// line 3, byte 27: order 4
