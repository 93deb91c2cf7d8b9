import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deadLetter, isSluiceError, ndjson, type Flow, type Sink } from 'sluice';
import { csv } from 'sluice/csv';
import { fileSource, type FileFormat } from 'sluice/file';
import { configFor } from '../../examples/orders-hub/config.js';
import { temporaryFolder } from '../helpers/folder.js';
import { answered, FEW_INPUTS, INPUTS, mutated } from '../helpers/fuzz.js';

/** What came out of a flow of a file to its end, or why there was none. */
function read(flow: Flow<unknown>): Promise<{ readonly values: unknown[]; readonly error?: unknown }> {
  return new Promise((resolve) => {
    const values: unknown[] = [];
    flow.subscribe({
      next(message) {
        values.push(message.payload);
        message.ack();
      },
      error: (error: unknown) => resolve({ values, error }),
      complete: () => resolve({ values }),
    });
  });
}

describe('a saved offset that is anything (G17)', () => {
  it('is one to go on from, or OFFSET_INVALID, and nothing is read that is not there', async () => {
    await using folder = await temporaryFolder();
    const lines = ['alpha', 'beta', 'gamma'];
    const path = await folder.write('a.txt', `${lines.join('\n')}\n`);
    const offsets = folder.of('offset');
    const flow = (): Flow<unknown> => fileSource({ path, offsets });
    expect((await read(flow())).values).toHaveLength(3);
    const saved = await readFile(offsets, 'utf8');
    const { file } = JSON.parse(saved) as { readonly file: object };
    const first = JSON.stringify({ file, offset: 6, line: 2 });
    await fc.assert(
      fc.asyncProperty(mutated(saved, first, 'null', '[]', '{"file":{}}'), async (content) => {
        await folder.write('offset', content);
        const { values, error } = await read(flow());
        if (error !== undefined) expect(isSluiceError(error, 'OFFSET_INVALID')).toBe(true);
        const whole = Buffer.from(lines.join('\n'));
        for (const value of values) expect(whole.includes(Buffer.from(value as Uint8Array))).toBe(true);
      }),
      FEW_INPUTS,
    );
  });
});

describe('the records of a file that is anything (G17)', () => {
  const formats: Readonly<Record<string, readonly [format: FileFormat<unknown>, corpus: readonly string[]]>> = {
    NDJSON: [ndjson(), ['{"id":1}\n{"id":2}\r\n[3]\n', '\uFEFF{"__proto__":1}\n"a"']],
    CSV: [csv(), ['id,note\n1,"a, ""b"""\r\n2,"two\nlines"\n', '\uFEFFid,note\n1\n"open\n2,x\n']],
  };

  it.each(Object.entries(formats))('are read as %s or are dead letters, to its end', async (_, [format, corpus]) => {
    await using folder = await temporaryFolder();
    const path = folder.of('a.txt');
    await fc.assert(
      fc.asyncProperty(mutated(...corpus), fc.integer({ min: 1, max: 3 }), async (content, credit) => {
        await folder.write('a.txt', content);
        const expected = { values: 0, letters: 0 };
        const splitter = format.splitter();
        for (const part of [() => splitter.push(content), () => splitter.end()])
          for (const { error } of part()) expected[error === undefined ? 'values' : 'letters'] += 1;
        let letters = 0;
        const dead: Sink<unknown> = {
          next: (message) => void ((letters += 1), message.ack()),
          error: () => undefined,
          complete: () => undefined,
        };
        const { values, error } = await read(deadLetter(dead)(fileSource({ path, format, credit })));
        expect({ values: values.length, letters, error }).toEqual({ ...expected, error: undefined });
      }),
      FEW_INPUTS,
    );
  });
});

describe('a config of the orders hub that is anything (G17)', () => {
  it('is one with all that the hub needs, or is refused by its name', async () => {
    await using folder = await temporaryFolder();
    const path = await folder.write('orders.csv', 'order_id,customer,amount,note\n1,ada,2,\n');
    const config = folder.of('config.json');
    const good = JSON.stringify({
      columns: { order_id: 'string', customer: 'string', amount: 'number', note: 'string?' },
      ...{ id: 'order_id', customer: 'customer', amount: ['amount'], required: ['order_id'], dropUpTo: 50 },
      classes: [{ name: 'HIGH', above: 1_000 }],
    });
    const fields = JSON.parse(good) as object;
    const odd = [null, 7, [], 'text', [null], {}].flatMap((value) =>
      Object.keys(fields).map((name) => JSON.stringify({ ...fields, [name]: value })),
    );
    await folder.write('config.json', good);
    expect(await configFor(path, config)).toMatchObject({ id: 'order_id' });
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated(good, 'null', ...odd), fc.constantFrom(...odd)), async (content) => {
        await folder.write('config.json', content);
        try {
          const { columns, id, customer, amount, classes } = await configFor(path, config);
          for (const name of [id, customer, ...amount]) expect(Object.keys(columns)).toContain(name);
          expect(classes.length).toBeGreaterThan(0);
          answered(() => csv({ columns }), ['CONFIG_INVALID']);
        } catch (error) {
          expect(String(error)).toMatch(/^Error: .*(config .*config\.json|has no column)/);
        }
      }),
      INPUTS,
    );
  });
});
