import { readdirSync, readFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { CsvColumns } from 'sluice/csv';

/** What the hub knows of a file: its columns, which of them matter, and the classes that orders are routed by. */
export interface HubConfig {
  readonly columns: CsvColumns;
  readonly id: string;
  readonly customer: string;
  /** The columns whose product is the amount. */
  readonly amount: readonly string[];
  /** Columns that may not be empty. */
  readonly required: readonly string[];
  /** Orders of this amount and below are filtered out. */
  readonly dropUpTo: number;
  /** From the highest to the lowest; the first whose limit the amount is above. */
  readonly classes: readonly { readonly name: string; readonly above: number }[];
}

const CONFIGS = new URL('./configs/', import.meta.url);

/** The config of the file at `path`: the one named, or the one whose columns are those of the file's first line. */
export async function configFor(path: string, named: string | undefined): Promise<HubConfig> {
  const header = await firstLine(path);
  const names = header.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  if (named !== undefined) {
    const config = read(named);
    const absent = Object.keys(config.columns).filter((name) => !names.includes(name));
    if (absent.length === 0) return config;
    throw new Error(`${path} has no column ${absent.join(', ')}, which the config ${named} names`);
  }
  for (const file of readdirSync(CONFIGS)) {
    const config = read(new URL(file, CONFIGS));
    if (Object.keys(config.columns).join() === names.join()) return config;
  }
  // As a text in quotes: what is no CSV at all may hold what a terminal would obey.
  const shown = JSON.stringify(header.slice(0, 200));
  throw new Error(
    `no config has the columns ${shown}. Write one like those in examples/orders-hub/configs and name it with --config FILE`,
  );
}

function read(file: string | URL): HubConfig {
  const name = String(file);
  let config: Partial<HubConfig>;
  try {
    config = JSON.parse(readFileSync(file, 'utf8')) as Partial<HubConfig>;
  } catch (error) {
    throw new Error(`the config ${name} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const fault = faultOf(config ?? {});
  if (fault !== undefined) throw new Error(`the config ${name} is not complete: ${fault}`);
  return config as HubConfig;
}

function faultOf({
  columns = {},
  id,
  customer,
  amount,
  required,
  dropUpTo,
  classes,
}: Partial<HubConfig>): string | undefined {
  const areNamed = typeof columns === 'object' && (columns as unknown) !== null && !Array.isArray(columns);
  if (!areNamed) return `'columns' has to be an object of names and types`;
  const isColumn = (name: unknown): boolean => typeof name === 'string' && Object.hasOwn(columns, name);
  const areColumns = (names: unknown): boolean => Array.isArray(names) && names.every(isColumn);
  if (!isColumn(id)) return `'id' has to be one of 'columns'`;
  if (!isColumn(customer)) return `'customer' has to be one of 'columns'`;
  if (!areColumns(amount)) return `'amount' has to be a list of 'columns'`;
  if (!areColumns(required)) return `'required' has to be a list of 'columns'`;
  if (typeof dropUpTo !== 'number') return `'dropUpTo' has to be a number`;
  const areClasses = Array.isArray(classes) && classes.length > 0 && classes.every(isClass);
  return areClasses ? undefined : `'classes' has to be a list of { "name": "…", "above": number }`;
}

function isClass(one: unknown): boolean {
  const { name, above } = (one ?? {}) as { readonly name?: unknown; readonly above?: unknown };
  return typeof name === 'string' && typeof above === 'number';
}

async function firstLine(path: string): Promise<string> {
  let text: string;
  try {
    // To open a pipe is to wait for who writes to it, and what is read from it here is gone.
    if ((await stat(path)).isFIFO()) throw new Error('it is a pipe, which nobody can go on with after a stop');
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
      text = buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new Error(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const [line = ''] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (line === '') throw new Error(`${path} is empty: its first line has to name the columns`);
  return line;
}
