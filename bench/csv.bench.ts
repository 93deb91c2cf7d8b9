// Decoding CSV rows as typed objects against papaparse over the same text.
import Papa from 'papaparse';
import { csv } from 'sluice/csv';
import { compare } from './compare.js';
import { sized } from './settings.js';

const ROWS = sized(100_000);
const lines = ['id,symbol,side,price,quantity,paid,note'];
for (let id = 0; id < ROWS; id += 1) {
  const note = id % 10 === 0 ? '"said ""yes"", then left"' : 'leave it with the neighbour';
  lines.push(`o-${id},ABC,${id % 2 === 0 ? 'buy' : 'sell'},${100 + (id % 1000) / 8},${1 + (id % 7)},true,${note}`);
}
const bytes = new TextEncoder().encode(`${lines.join('\r\n')}\r\n`);
const CHUNK = 65_536;

const columns = {
  id: 'string',
  symbol: 'string',
  side: 'string',
  price: 'number',
  quantity: 'number',
  paid: 'boolean',
  note: 'string',
} as const;

function split(mapper: { splitter(): ReturnType<ReturnType<typeof csv>['splitter']> }): number {
  const splitter = mapper.splitter();
  let seen = 0;
  for (let at = 0; at < bytes.length; at += CHUNK)
    for (const { value } of splitter.push(bytes.subarray(at, at + CHUNK))) if (value !== undefined) seen += 1;
  for (const { value } of splitter.end()) if (value !== undefined) seen += 1;
  return seen;
}

/** Chunks of text, as papaparse wants them: it keeps what is not whole yet itself. */
function papa(options: { readonly header?: boolean; readonly dynamicTyping?: boolean }): number {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += decoder.decode(bytes.subarray(at, at + CHUNK), { stream: true });
  let seen = 0;
  const config = {
    ...options,
    delimiter: ',',
    newline: '\r\n',
    skipEmptyLines: true,
    chunkSize: CHUNK,
    chunk: ({ data }: Papa.ParseResult<unknown>) => void (seen += data.length),
    complete: () => undefined,
  };
  // Its types want to know whether this is a file.
  Papa.parse(text, config as never);
  return options.header === true ? seen : seen - 1;
}

const rivals = [
  { name: 'papaparse, rows as objects', run: () => papa({ header: true }) },
  { name: 'papaparse, rows as lists', run: () => papa({}), informs: true },
];
await compare('rows of text', ROWS, { name: 'csv()', run: () => split(csv()) }, rivals, { atLeast: 0.9 });
await compare(
  'rows with types',
  ROWS,
  { name: 'csv({ columns })', run: () => split(csv({ columns }) as never) },
  [{ name: 'papaparse, dynamicTyping', run: () => papa({ header: true, dynamicTyping: true }) }, ...rivals.slice(1)],
  { atLeast: 0.9 },
);
