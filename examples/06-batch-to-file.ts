// Many rows in, one line per batch on disk; a row is acked once its line is there. Needs a temporary folder.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { take } from 'rxjs';
import { batch, each, memoryBroker, memorySource, ndjson, run } from 'sluice';
import { fileSink, fileSource } from 'sluice/file';

interface Reading {
  readonly degrees: number;
}

const folder = await mkdtemp(join(tmpdir(), 'readings-'));
const path = join(folder, 'means.ndjson');
const broker = memoryBroker();
for (let degrees = 1; degrees <= 7; degrees += 1) broker.publish({ topic: 'readings', payload: { degrees } });

const means = memorySource<Reading>(broker, { topic: 'readings' }).pipe(
  take(7),
  batch({ size: 3, maxWaitMs: 50 }), // full, or waited long enough, or nothing more can come
  each((readings) => {
    const sum = readings.reduce((total, { degrees }) => total + degrees, 0);
    return { of: readings.length, mean: sum / readings.length };
  }),
);
const { clean } = await run(means, fileSink({ path, format: ndjson() })).done;
console.log(`clean: ${clean}, unsettled: ${broker.peek.unsettled('readings')}`);
console.log((await readFile(path, 'utf8')).trimEnd());

// And back: a file is a source that ends.
const lines = fileSource({ path, format: ndjson<{ of: number; mean: number }>() });
await new Promise<void>((ended) => {
  lines.subscribe({
    next: (message) => {
      console.log(`mean of ${message.payload.of}: ${message.payload.mean}`);
      message.ack();
    },
    complete: ended,
  });
});
await rm(folder, { recursive: true });

// Output:
// clean: true, unsettled: 0
// {"of":3,"mean":2}
// {"of":3,"mean":5}
// {"of":1,"mean":7}
// mean of 3: 2
// mean of 3: 5
// mean of 1: 7
