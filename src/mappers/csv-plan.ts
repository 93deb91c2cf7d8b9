import { SluiceError } from '../errors.js';
import { guardFormula, readCell } from './csv-cell.js';
import type { CsvColumnType, CsvRules } from './csv-columns.js';

const MAX_COLUMNS = 10_000;
const MAX_NAME_LENGTH = 1024;
/** What other producers put between cells. */
const DELIMITERS = [',', ';', '\t', '|'];

/** A row as an object, by column name. */
export type CsvObject = Record<string, unknown>;

interface Field {
  readonly name: string;
  readonly type: CsvColumnType;
  /** Which cell of a row. */
  readonly index: number;
}

/**
 * How rows of a file with this header become objects: by name, whatever the order.
 *
 * @internal
 */
export class CsvPlan {
  private readonly width: number;
  private readonly fields: readonly Field[];

  /** @throws SluiceError `SCHEMA_INVALID`, `LIMIT_KEYS`, `LIMIT_NAME` with the column of the fault */
  constructor(names: readonly string[], rules: CsvRules) {
    checkNames(names);
    this.width = names.length;
    this.fields = fieldsOf(names, rules);
  }

  /** @throws SluiceError `DECODE_FAILED` for a row with other than the header's number of cells, or what a cell throws */
  row(cells: readonly string[]): CsvObject {
    const { fields, width } = this;
    if (cells.length !== width) {
      const column = Math.min(cells.length, width) + 1;
      const count = `${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}`;
      throw new SluiceError('DECODE_FAILED', `column ${column}: the row has ${count}, the header has ${width}.`, {
        details: { column },
      });
    }
    const row: CsvObject = {};
    for (const field of fields) {
      const cell = cells[field.index] as string;
      row[field.name] = field.type === 'string' ? cell : this.cell(cell, field);
    }
    return row;
  }

  private cell(cell: string, { name, type, index }: Field): unknown {
    try {
      return readCell(cell, type);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      const column = index + 1;
      throw new SluiceError(error.code, `column ${column} (${shown(name)}): ${error.message}.`, {
        details: { column, name: shown(name) },
      });
    }
  }
}

/** Refuses names that rows cannot have as keys. */
export function checkNames(names: readonly string[]): void {
  const seen = new Set<string>();
  if (names.length > MAX_COLUMNS)
    throw new SluiceError('LIMIT_KEYS', `the header has ${names.length} columns, more than ${MAX_COLUMNS}.`, {
      details: { column: MAX_COLUMNS + 1 },
    });
  for (const [at, name] of names.entries()) {
    const details = { column: at + 1 };
    const column = `column ${at + 1} (${shown(name)})`;
    if (name === '__proto__' || name === 'constructor.prototype')
      throw new SluiceError('SCHEMA_INVALID', `${column}: forbidden key in the header.`, { details });
    if (name.length > MAX_NAME_LENGTH)
      throw new SluiceError('LIMIT_NAME', `${column}: longer than ${MAX_NAME_LENGTH} characters.`, { details });
    if (seen.has(name))
      throw new SluiceError('SCHEMA_INVALID', `${column}: duplicate name in the header.`, { details });
    seen.add(name);
  }
}

function fieldsOf(names: readonly string[], rules: CsvRules): Field[] {
  const { columns, extra, delimiter } = rules;
  const hint = otherDelimiter(names, delimiter);
  if (columns === undefined) {
    if (hint !== undefined)
      throw new SluiceError('SCHEMA_INVALID', `column 1: the header has one column with ${hint}`, {
        details: { column: 1 },
      });
    return names.map((name, index) => ({ name, type: 'string', index }));
  }
  const fields = Object.entries(columns).map(([name, type]) => ({ name, type, index: indexOf(names, name, rules) }));
  const missing = fields.filter(({ index }) => index === -1).map(({ name }) => shown(name));
  if (missing.length > 0) {
    const also = hint === undefined ? '' : ` It has one column with ${hint}`;
    throw new SluiceError('SCHEMA_INVALID', `the header lacks ${missing.slice(0, 5).join(', ')}.${also}`, {
      details: { column: 1, missing },
    });
  }
  const used = new Set(fields.map(({ index }) => index));
  const more = names.findIndex((_name, index) => !used.has(index));
  if (extra === 'error' && more !== -1)
    throw new SluiceError(
      'SCHEMA_INVALID',
      `column ${more + 1} (${shown(names[more] ?? '')}): not in columns. Set extra to 'drop' to leave it out.`,
      { details: { column: more + 1 } },
    );
  return fields;
}

/** Also under the name that writing with `guardFormulas` gives it: what was written has to be readable again. */
function indexOf(names: readonly string[], name: string, { guardFormulas }: CsvRules): number {
  const index = names.indexOf(name);
  return index === -1 && guardFormulas ? names.indexOf(guardFormula(name)) : index;
}

/** One column that has another delimiter in its name is most likely several. */
function otherDelimiter(names: readonly string[], delimiter: string): string | undefined {
  const [name = ''] = names;
  if (names.length !== 1) return undefined;
  const other = DELIMITERS.find((one) => one !== delimiter && name.includes(one));
  return other === undefined ? undefined : `'${other === '\t' ? '\\t' : other}' in its name: is that the delimiter?`;
}

/** Names come from the file: only what is harmless to print, and not too much of it. */
function shown(name: string): string {
  return name.slice(0, 40).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
}
