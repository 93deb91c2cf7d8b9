export { csv } from '../mappers/csv.js';
export type { CsvColumns, CsvColumnType, CsvOptions, CsvRow } from '../mappers/csv-columns.js';
