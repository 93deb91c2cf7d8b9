// Decoding JSON with the checks against JSON.parse of the same bytes.
import { json } from 'sluice';
import { compare } from './compare.js';
import { sized } from './settings.js';

const encoder = new TextEncoder();
const plain = new TextDecoder('utf-8', { fatal: true });

const order = (id: number): object => ({
  id: `o-${id}`,
  symbol: 'ABC',
  side: id % 2 === 0 ? 'buy' : 'sell',
  price: 100 + (id % 1000) / 8,
  quantity: 1 + (id % 7),
  at: 1_700_000_000_000 + id,
});

const shapes: Record<string, { readonly count: number; make(id: number): unknown }> = {
  'an order, 0.1 KiB': { count: 100_000, make: order },
  'an order with a text, 1 KiB': {
    count: 60_000,
    make: (id) => ({ ...order(id), note: 'Leave it with the neighbour, they are at home. '.repeat(19) }),
  },
  'a list of orders, 1 KiB': { count: 30_000, make: (id) => Array.from({ length: 10 }, (_, at) => order(id + at)) },
  'numbers, 1 KiB': {
    count: 30_000,
    make: (id) => ({ id, values: Array.from({ length: 130 }, (_, at) => (at * 7919 + id) / 8) }),
  },
  'names and texts not in ASCII, 1 KiB': {
    count: 30_000,
    make: (id) =>
      Array.from({ length: 6 }, (_, at) => ({ id: id + at, größe: 3, text: 'Größe ändern – später '.repeat(4) })),
  },
  'a list of orders, 64 KiB': { count: 500, make: (id) => Array.from({ length: 620 }, (_, at) => order(id + at)) },
};

for (const [title, { count, make }] of Object.entries(shapes)) {
  const bytes = Array.from({ length: Math.min(2_000, count) }, (_, id) => encoder.encode(JSON.stringify(make(id))));
  const total = sized(count);
  const { decode } = json();
  const read = (parse: (bytes: Uint8Array) => unknown) => (): number => {
    let seen = 0;
    for (let at = 0; at < total; at += 1)
      if (typeof parse(bytes[at % bytes.length] as Uint8Array) === 'object') seen += 1;
    return seen;
  };
  await compare(
    title,
    total,
    { name: 'json(), with its checks', run: read((one) => decode(one)) },
    [{ name: 'JSON.parse', run: read((one) => JSON.parse(plain.decode(one))) }],
    { atLeast: 0.9 },
  );
}
