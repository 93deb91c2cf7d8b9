// A CSV file becomes NDJSON; bad rows are kept with their place, and a second run has nothing left. Needs papaparse.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadLetter, each, HEADERS, headerText, ndjson, run, text, type Message } from 'sluice';
import { csv } from 'sluice/csv';
import { fileSink, fileSource, type FileMeta } from 'sluice/file';

const root = await mkdtemp(join(tmpdir(), 'example-'));
await writeFile(join(root, 'orders.csv'), 'id,amount\n1,80\n2,much\n3,20\n4,99\n');

interface Large {
  readonly id: string;
  readonly amount: number;
  readonly line: number;
}

function copyLarge(): Promise<unknown> {
  const format = csv({ columns: { id: 'string', amount: 'number' } });
  const bad = fileSink({
    root,
    path: 'orders.bad',
    record: ({ payload, headers }: Message<unknown>) =>
      `${text().decode(payload as Uint8Array)} <- ${headerText(headers, HEADERS.deadReason) ?? ''}`,
  });
  // Everything before the saved offset is in one of the two files, whenever this is killed.
  return run(
    fileSource({ root, path: 'orders.csv', offsets: 'orders.offset', format, credit: 64 }).pipe(
      deadLetter(bad),
      each((order, { meta }): Large | undefined =>
        order.amount > 50 ? { ...order, line: (meta as FileMeta).line } : undefined,
      ),
    ),
    fileSink({ root, path: 'large.ndjson', format: ndjson<Large>() }),
  ).done;
}

await copyLarge();
await copyLarge();
for (const name of ['large.ndjson', 'orders.bad']) console.log(await readFile(join(root, name), 'utf8'));
await rm(root, { recursive: true });

// Output:
// {"id":"1","amount":80,"line":2}
// {"id":"4","amount":99,"line":5}
//
// 2,much <- line 3: column 2 (amount): expected a number.
