import { SluiceError, toSluiceError } from '../errors.js';
import { checkOptions, configInvalid, flag, integer, oneOf, required, type OptionRule } from '../options.js';
import { MAX_PAYLOAD_BYTES, type RecordMapper, type SplitStart } from './codec.js';
import { cellText, guardFormula } from './csv-cell.js';
import type { CsvColumns, CsvOptions, CsvRow, CsvRules } from './csv-columns.js';
import { checkNames, CsvPlan, type CsvObject } from './csv-plan.js';
import { CsvSplitter } from './csv-splitter.js';
import { recordMapper } from './record-mapper.js';
import { checkSize } from './size.js';
import { encodeUtf8 } from './utf8.js';

/**
 * CSV rows as objects: by the names in the header, never by position. With `columns` the cells are typed, and so is the row;
 * without, every cell is text.
 *
 * A row that cannot be read (a ragged one, a cell of another type, text after a closing quote, a quote that is never
 * closed, a lone CR, NUL) is an error of that record alone, with line and column. Blank lines are left out. A header that
 * cannot be used makes every row an error. Cells are quoted where they have to be; formulas are disarmed.
 *
 * @example
 * import { csv } from 'sluice/csv';
 * const orders = csv({ columns: { id: 'string', amount: 'number', paid: 'boolean', note: 'string?' } });
 * for (const { value } of orders.splitter().push(chunk)) console.log(value?.amount);
 * @param options `columns`, `header`, `delimiter`, `extra`, `maxBytes`, `lineEnd`, `guardFormulas`
 * @throws SluiceError from `decode`, with `line`, `column` and `offset` in the details: `DECODE_FAILED`, `SCHEMA_INVALID`,
 *   `LIMIT_NUMBER`, `LIMIT_KEYS`, `LIMIT_NAME`, `PAYLOAD_TOO_LARGE`; from `encode`: `ENCODE_FAILED` naming the column,
 *   `PAYLOAD_TOO_LARGE`
 * Source: RFC 4180; OWASP ASVS for the formulas.
 * @see RecordMapper
 */
export function csv<const C extends CsvColumns>(
  options: CsvOptions<C> & { readonly columns: C },
): RecordMapper<CsvRow<C>>;
export function csv(options?: CsvOptions & { readonly columns?: undefined }): RecordMapper<Record<string, string>>;
export function csv(options: CsvOptions = {}): RecordMapper<CsvObject> | RecordMapper<Record<string, string>> {
  const rules = csvRules(options);
  const { columns, header, maxBytes } = rules;
  // Cells are written in this order; without any names, those of the first row.
  const known = header ?? (columns === undefined ? undefined : Object.keys(columns));
  const writer = known === undefined ? undefined : rowWriter(known, rules);
  const head = known === undefined || header !== undefined ? new Uint8Array(0) : headerLine(known, rules);
  return recordMapper<CsvObject>({
    name: 'csv',
    contentType: `text/csv; charset=utf-8; header=${header === undefined ? 'present' : 'absent'}`,
    maxBytes,
    needsHead: header === undefined,
    head,
    encodeRecord(row) {
      if (writer === undefined)
        throw new SluiceError('ENCODE_FAILED', 'csv: the order of the cells is not known. Set columns or header.');
      return writer(row);
    },
    encodeAll(rows) {
      const [first] = rows;
      if (writer !== undefined) return [head, ...rows.map(writer)];
      if (first === undefined) return [];
      const names = namesOf(first);
      return [headerLine(names, rules), ...rows.map(rowWriter(names, rules))];
    },
    splitter(start: SplitStart = {}) {
      if (header === undefined && (start.offset ?? 0) > 0 && start.head === undefined)
        throw configInvalid('csv', [
          "'head' is missing: a start past the header line needs the first bytes of the file",
        ]);
      return new CsvSplitter(rules, start);
    },
  });
}

const delimiterRule: OptionRule = (value) =>
  typeof value === 'string' && /^[\t !#-/:-@[-`{-~]$/.test(value)
    ? undefined
    : 'expected one ASCII character that is no letter, digit, quote or line end';

const TYPES = ['string', 'number', 'boolean', 'bigint'].flatMap((type) => [type, `${type}?`]);
const columnsRule: OptionRule = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? undefined
    : `expected an object from column names to ${TYPES.join(', ')}`;
const headerRule: OptionRule = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string')
    ? undefined
    : 'expected a list of column names';

function csvRules(options: CsvOptions): CsvRules {
  checkOptions('csv', options, {
    columns: columnsRule,
    header: headerRule,
    delimiter: delimiterRule,
    extra: oneOf('drop', 'error'),
    maxBytes: integer(1),
    lineEnd: oneOf('\r\n', '\n'),
    guardFormulas: flag,
  });
  const { columns = {} } = options;
  const typed = Object.keys(columns).map((name) => [name, required(oneOf(...TYPES))] as const);
  checkOptions('csv columns', columns, Object.fromEntries(typed));
  const rules: CsvRules = {
    columns: options.columns,
    header: options.header,
    delimiter: options.delimiter ?? ',',
    extra: options.extra ?? 'drop',
    maxBytes: options.maxBytes ?? MAX_PAYLOAD_BYTES,
    lineEnd: options.lineEnd ?? '\r\n',
    guardFormulas: options.guardFormulas ?? true,
  };
  try {
    // Names that no file can have are a fault of the options.
    const names = rules.header ?? (rules.columns === undefined ? undefined : Object.keys(rules.columns));
    if (names !== undefined) {
      new CsvPlan(names, rules);
      headerLine(names, rules);
    }
  } catch (error) {
    throw configInvalid('csv', [error instanceof Error ? error.message : String(error)]);
  }
  return rules;
}

/** The names a file has without `columns` and `header`. */
function namesOf(row: CsvObject): string[] {
  checkRow(row);
  const names = Object.keys(row);
  if (names.length === 0) throw new SluiceError('ENCODE_FAILED', 'csv: the first row has no columns.');
  try {
    checkNames(names);
  } catch (error) {
    throw new SluiceError('ENCODE_FAILED', `csv: ${toSluiceError(error, 'ENCODE_FAILED', 'names').message}`);
  }
  return names;
}

function checkRow(row: unknown): void {
  if (typeof row === 'object' && row !== null) return;
  const kind = row === null ? 'null' : typeof row;
  throw new SluiceError('ENCODE_FAILED', `csv: a row is an object with its cells by column, got ${kind}.`);
}

function headerLine(names: readonly string[], rules: CsvRules): Uint8Array {
  return encodeUtf8(joined(names, names, rules));
}

/** The cells as a line, quoted where they would otherwise be read differently. */
function joined(
  cells: readonly string[],
  names: readonly string[],
  { delimiter, lineEnd, guardFormulas }: CsvRules,
): string {
  let line = '';
  for (let index = 0; index < cells.length; index += 1) {
    const cell = guardFormulas ? guardFormula(cells[index] as string) : (cells[index] as string);
    const isOdd = cell.includes(delimiter) || /["\r\n]|^\uFEFF/.test(cell) || (cell === '' && cells.length === 1);
    line += (index === 0 ? '' : delimiter) + (isOdd ? `"${cell.replaceAll('"', '""')}"` : cell);
  }
  if (line.includes('\0')) throw unreadable(names[cells.findIndex((cell) => cell.includes('\0'))] as string);
  return line + lineEnd;
}

/** No quoting helps: a NUL is what readers tell a file by that is no text, this one too. */
function unreadable(name: string): SluiceError {
  const column = `the column '${name.slice(0, 40).replaceAll('\0', '?')}'`;
  return new SluiceError('ENCODE_FAILED', `csv: ${column} has a NUL character, which no reader takes: take it out.`, {
    details: { name },
  });
}

function rowWriter(names: readonly string[], rules: CsvRules): (row: CsvObject) => Uint8Array {
  const { columns, extra, lineEnd, maxBytes } = rules;
  // Without columns nobody chose what is left out.
  const isClosed = extra === 'error' || columns === undefined;
  const known = new Set(names);
  return (row) => {
    checkRow(row);
    const cells = names.map((name) => {
      const isKnown = columns === undefined || Object.hasOwn(columns, name);
      const text = isKnown ? cellText(row[name], columns?.[name]) : '';
      if (text !== undefined) return text;
      const type = columns?.[name] ?? 'string';
      throw new SluiceError('ENCODE_FAILED', `csv: the column '${name.slice(0, 40)}' has no value of type ${type}.`, {
        details: { name },
      });
    });
    const more = isClosed ? Object.keys(row).find((name) => !known.has(name)) : undefined;
    if (more !== undefined)
      throw new SluiceError('ENCODE_FAILED', `csv: '${more.slice(0, 40)}' is not a column of the file.`, {
        details: { name: more },
      });
    const line = encodeUtf8(joined(cells, names, rules));
    // Its line end is not part of a record, for its reader neither.
    checkSize('csv', line.subarray(0, line.length - lineEnd.length), maxBytes);
    return line;
  };
}
