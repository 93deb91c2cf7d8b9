import { SluiceError } from '../errors.js';
import type { CsvColumnType } from './csv-columns.js';
import { isExact } from './exact-number.js';

/** Above it a bigint takes noticeable time to be made. */
const MAX_DIGITS = 1000;

/**
 * The value of a cell.
 *
 * @throws SluiceError `SCHEMA_INVALID`, `LIMIT_NUMBER`; without the place, which the caller knows
 * @internal
 */
export function readCell(cell: string, type: CsvColumnType): unknown {
  switch (type) {
    case 'string':
      return cell;
    case 'number':
      return readNumber(cell);
    case 'boolean':
      return readBoolean(cell);
    case 'bigint':
      return readBigint(cell);
    default:
      return cell === '' ? null : readCell(cell, type.slice(0, -1) as CsvColumnType);
  }
}

/** Decimal numbers only: Number() also takes white space, hexadecimal and the empty text. */
function readNumber(cell: string): number {
  const value = Number(cell);
  const start = cell.charCodeAt(0) === 0x2d ? 1 : 0;
  const isDecimal =
    isDigit(cell.charCodeAt(start)) && isDigit(cell.charCodeAt(cell.length - 1)) && !/^0[box]/i.test(cell);
  if (Number.isNaN(value) || !isDecimal) throw new SluiceError('SCHEMA_INVALID', 'expected a number');
  // Up to 15 characters are exact, but for a result near zero or beyond all doubles.
  if (cell.length > 15 || (cell.length > 5 && !(Math.abs(value) > 1e-300 && Math.abs(value) < 1e300)) || value > 1e300)
    checkExact(cell);
  return value;
}

function checkExact(cell: string): void {
  if (!isExact(cell))
    throw new SluiceError('LIMIT_NUMBER', "a number that would be rounded: make the column 'bigint' or 'string'");
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function readBoolean(cell: string): boolean {
  if (cell === 'true') return true;
  if (cell === 'false') return false;
  const lower = cell.toLowerCase();
  if (lower === 'true') return true;
  if (lower === 'false') return false;
  throw new SluiceError('SCHEMA_INVALID', 'expected true or false');
}

function readBigint(cell: string): bigint {
  if (!/^-?\d+$/.test(cell)) throw new SluiceError('SCHEMA_INVALID', 'expected a whole number');
  if (cell.length > MAX_DIGITS)
    throw new SluiceError('LIMIT_NUMBER', `a whole number with more than ${MAX_DIGITS} digits`);
  return BigInt(cell);
}

/**
 * The text of a value; `undefined` when it has none that reads back as this type.
 *
 * @param type undefined for a column without a type: text, and what has one obvious text
 * @internal
 */
export function cellText(value: unknown, type: CsvColumnType | undefined): string | undefined {
  if (value === null || value === undefined) return type?.endsWith('?') === true ? '' : undefined;
  if (type !== undefined && typeof value !== (type.endsWith('?') ? type.slice(0, -1) : type)) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  return typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : undefined;
}

// What a spreadsheet takes for the start of a formula or command; in some languages also the full-width forms of the signs.
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;
const NUMBER = /^-\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$/;

/**
 * Writes `'` before what a spreadsheet would run.
 *
 * Source: OWASP, CSV Injection; OWASP ASVS 4.0 section 5.3.10; CWE-1236.
 * @internal
 */
export function guardFormula(text: string): string {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}
