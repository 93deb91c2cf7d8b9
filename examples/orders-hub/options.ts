import { createHash } from 'node:crypto';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** What was asked for on the command line. */
export interface CommandLine {
  readonly input: string;
  /** How many orders are made when there is no input yet; `undefined` where the input is the user's own. */
  readonly rows: number | undefined;
  readonly config: string | undefined;
  /** Folder of the saved offset and the two output files. */
  readonly state: string;
  readonly fresh: boolean;
}

export const USAGE = `npm start                     200,000 orders, made on first use; goes on where the run before it stopped
npm start -- --fresh          begins anew
npm start -- --input FILE     any CSV file whose columns a config in examples/orders-hub/configs knows
             --config FILE    takes that config instead
             --state FOLDER   keeps the offset and the output files there
             --rows COUNT     makes so many orders instead of 200,000`;

const DATA = fileURLToPath(new URL('./data/', import.meta.url));
const DEFAULT_ROWS = 200_000;

/** Reads the command line; `undefined` when it asks for help. */
export function commandLine(args: readonly string[]): CommandLine | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  const rows = Number(values.rows ?? DEFAULT_ROWS);
  if (!Number.isSafeInteger(rows) || rows < 1)
    throw new Error(`--rows has to be a whole number from 1, not ${values.rows}`);
  const input = values.input ?? join(DATA, rows === DEFAULT_ROWS ? 'orders.csv' : `orders-${rows}.csv`);
  return {
    input,
    rows: values.input === undefined ? rows : undefined,
    config: values.config,
    state: values.state ?? join(DATA, values.input === undefined ? basename(input, '.csv') : nameOf(input)),
    fresh: values.fresh,
  };
}

/** Files of one name in two folders are two inputs, and neither is one of those made here. */
function nameOf(input: string): string {
  const path = resolve(input);
  return `${basename(path, '.csv')}-${createHash('sha256').update(path).digest('hex').slice(0, 8)}`;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        input: { type: 'string' },
        config: { type: 'string' },
        state: { type: 'string' },
        rows: { type: 'string' },
        fresh: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    // Node's texts go on with advice on how to write such an argument all the same.
    const [what] = (error as Error).message.split(/\.\s/);
    throw new Error(`${what}. npm start -- --help lists what there is`, { cause: error });
  }
}
