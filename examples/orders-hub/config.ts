import { readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
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
  if (named !== undefined) return read(named);
  const header = await firstLine(path);
  const names = header.split(',').map((name) => name.trim());
  for (const file of readdirSync(CONFIGS)) {
    const config = read(new URL(file, CONFIGS));
    if (Object.keys(config.columns).join() === names.join()) return config;
  }
  throw new Error(
    `No config has the columns ${header}. Write one like those in configs/ and name it with --config FILE.`,
  );
}

function read(file: string | URL): HubConfig {
  return JSON.parse(readFileSync(file, 'utf8')) as HubConfig;
}

async function firstLine(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    const [line = ''] = buffer.toString('utf8', 0, bytesRead).split(/\r?\n/);
    return line.replace(/^\uFEFF/, '');
  } finally {
    await file.close();
  }
}
