/**
 * What the cells of a column are read as. With `?` an empty cell is `null`; without, it is an error except for `string`.
 *
 * @see CsvColumns
 */
export type CsvColumnType = 'string' | 'number' | 'boolean' | 'bigint' | 'string?' | 'number?' | 'boolean?' | 'bigint?';

/**
 * Column names and the types of their cells. The order of the file does not matter.
 *
 * @see CsvRow
 */
export type CsvColumns = Readonly<Record<string, CsvColumnType>>;

interface CsvValues {
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
  readonly bigint: bigint;
}

/**
 * The row that columns describe: `{ id: 'string', amount: 'number?' }` gives `{ id: string; amount: number | null }`.
 *
 * @see CsvColumns
 */
export type CsvRow<C extends CsvColumns> = {
  -readonly [K in keyof C]: C[K] extends `${infer Base extends keyof CsvValues}?`
    ? CsvValues[Base] | null
    : C[K] extends keyof CsvValues
      ? CsvValues[C[K]]
      : never;
};

/**
 * Options of `csv`.
 *
 * @see csv
 */
export interface CsvOptions<C extends CsvColumns = CsvColumns> {
  /** Types the rows and says which columns there have to be. Default: every column is text. */
  readonly columns?: C | undefined;
  /** The names in the order of the cells, for files without a header line. Default: the first line has them. */
  readonly header?: readonly string[] | undefined;
  /** What stands between two cells: one ASCII character. Default `,`. */
  readonly delimiter?: string;
  /** What becomes of columns that `columns` does not name: left out (`drop`), or an `error`. Default `drop`. */
  readonly extra?: 'drop' | 'error';
  /** Largest record, and largest whole payload, in bytes. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Line end when writing. Default CRLF, as RFC 4180 has it; reading takes LF and CRLF. */
  readonly lineEnd?: '\r\n' | '\n';
  /**
   * Writes `'` before text that a spreadsheet would run as a formula: text that starts with `=`, `+`, `-`, `@`, one of their
   * full-width forms, tab, CR or LF, and is no number. Reading does not take it away. Default true.
   */
  readonly guardFormulas?: boolean;
}

/** The options with their defaults filled in. */
export type CsvRules = Required<Omit<CsvOptions, 'columns' | 'header'>> & {
  readonly columns: CsvColumns | undefined;
  readonly header: readonly string[] | undefined;
};
