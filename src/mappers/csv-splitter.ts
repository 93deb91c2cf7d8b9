import Papa from 'papaparse';
import { SluiceError } from '../errors.js';
import { ChunkSplitter } from './chunk-splitter.js';
import type { SplitRecord, SplitStart } from './codec.js';
import type { CsvRules } from './csv-columns.js';
import { CsvPlan, type CsvObject } from './csv-plan.js';
import { CsvScan } from './csv-scan.js';
import { tooLarge } from './size.js';
import { recordError, splitRecord } from './split-record.js';
import { decodeUtf8 } from './utf8.js';

const LF = 0x0a;
const CR = 0x0d;
const MARK = '\uFEFF';
/** Records that are parsed at once. Cells are slices of the block's text, so a kept one keeps all of it alive. */
const BLOCK_RECORDS = 256;
const BLOCK_BYTES = 16_384;

/**
 * Records of a CSV file. The scan finds where they end; whole ones are parsed in blocks by papaparse, as rows of texts, and
 * become objects one by one when they are taken.
 *
 * @internal
 */
export class CsvSplitter extends ChunkSplitter<CsvObject> {
  private readonly rules: CsvRules;
  private readonly scan: CsvScan;
  /** Once the header is known it is one of both; a faulty one makes every row an error, because no cell has a name. */
  private plan: CsvPlan | undefined;
  private headerFault: SluiceError | undefined;
  /** True while the rest of a record that is too large is left out. */
  private skipping = false;
  /** How many records are parsed one by one, because their block could not be. */
  private singly = 0;
  /** The rows of the block; where in the chunk each ends, and on how many lines it stands. */
  private rows: readonly (readonly string[])[] = [];
  private readonly ends = new Int32Array(BLOCK_RECORDS);
  private readonly lines = new Int32Array(BLOCK_RECORDS);
  private taken = 0;
  /** Where in the chunk the next row of the block begins. */
  private rowAt = 0;
  /** 1 when the line ends of the block have a CR, else 0. */
  private cut = 0;

  constructor(rules: CsvRules, start: SplitStart) {
    // One byte more than a record may have, for the CR of a record of exactly maxBytes.
    super(rules.maxBytes + 1, start);
    this.rules = rules;
    this.scan = new CsvScan(rules.delimiter.charCodeAt(0));
    if (rules.header !== undefined) this.plan = new CsvPlan(rules.header, rules);
    else if (this.offset > 0 && start.head !== undefined) this.readHead(start.head);
  }

  protected override next(): SplitRecord<CsvObject> | undefined {
    for (;;) {
      if (this.taken < this.rows.length) return this.takeRow();
      if (this.at >= this.chunk.length) return undefined;
      if (this.pending.length === 0) {
        if (this.block()) continue;
        this.scan.reset();
      }
      const record = this.single();
      if (record !== undefined) return record;
    }
  }

  protected override last(): SplitRecord<CsvObject> | undefined {
    if (this.pending.length > 0) {
      const record = this.complete();
      if (record !== undefined) return record;
    }
    if (this.plan !== undefined || this.headerFault !== undefined) return undefined;
    this.headerFault = new SluiceError('DECODE_FAILED', 'column 1: empty payload, expected a header line.', {
      details: { column: 1 },
    });
    return this.failed(this.headerFault, this.line, this.chunk, 0, 0);
  }

  /** Parses the whole records at hand, as many as a block holds. False when the first one needs a look of its own. */
  private block(): boolean {
    if (this.plan === undefined) return false;
    if (this.singly > 0) {
      this.singly -= 1;
      return false;
    }
    const from = this.at;
    const count = this.findBlock(from);
    if (count === 0) return false;
    const end = this.ends[count - 1] as number;
    const rows = parse(this.chunk.subarray(from, end - this.cut), this.cut === 1 ? '\r\n' : '\n', this.rules.delimiter);
    // Not UTF-8 somewhere: one by one, so that the fault stays with its record.
    if (rows?.length !== count) {
      this.singly = count - 1;
      return false;
    }
    this.rows = rows;
    this.taken = 0;
    this.rowAt = from;
    this.at = end + 1;
    return true;
  }

  /** How many records from here on have no fault, the same kind of line end, and fit into a block. */
  private findBlock(from: number): number {
    const { chunk, scan, ends, lines } = this;
    const { maxBytes } = this.rules;
    let at = from;
    let count = 0;
    while (count < BLOCK_RECORDS && at - from < BLOCK_BYTES) {
      scan.reset();
      const end = scan.find(chunk, at, Math.min(chunk.length, at + maxBytes + 2));
      const cut = chunk[end - 1] === CR ? 1 : 0;
      const size = end - cut - at;
      if (size <= 0 || size > maxBytes || scan.isBad || (count > 0 && cut !== this.cut)) break;
      this.cut = cut;
      ends[count] = end;
      lines[count] = scan.innerLines + 1;
      count += 1;
      at = end + 1;
    }
    return count;
  }

  private takeRow(): SplitRecord<CsvObject> {
    const { line, offset, taken, rowAt } = this;
    const end = this.ends[taken] as number;
    this.taken = taken + 1;
    this.rowAt = end + 1;
    this.line = line + (this.lines[taken] as number);
    this.offset = offset + end + 1 - rowAt;
    return this.row(this.rows[taken] as readonly string[], line, offset, this.chunk, rowAt, end - this.cut);
  }

  /** Goes on with a record that is pending or stands alone; gives it when its end is in this chunk and it is a row. */
  private single(): SplitRecord<CsvObject> | undefined {
    const { chunk, pending, scan } = this;
    const { maxBytes } = this.rules;
    const from = this.at;
    let to = from;
    let end = -1;
    if (!this.skipping) {
      to = Math.min(chunk.length, from + maxBytes + 2 - pending.length);
      end = scan.find(chunk, from, to);
      // Also inside quotes: one that is never closed must not take the rest of the file with it.
      this.skipping = end === -1 && pending.length + to - from === maxBytes + 2;
    }
    if (this.skipping) end = chunk.indexOf(LF, to);
    const stop = end === -1 ? chunk.length : end;
    pending.append(chunk, from, stop);
    this.at = end === -1 ? stop : stop + 1;
    return end === -1 ? undefined : this.complete();
  }

  /** The pending record, whose end has come. */
  private complete(): SplitRecord<CsvObject> | undefined {
    const { scan, rules, line, offset } = this;
    const { length } = this.pending;
    const bytes = this.pending.take();
    const isCut = length === bytes.length && bytes[length - 1] === CR;
    const size = isCut ? length - 1 : length;
    const { isBad, isQuoted } = scan;
    this.skipping = false;
    this.line = line + scan.innerLines + 1;
    this.offset = this.base + this.at;
    if (size > rules.maxBytes) {
      const quote = isQuoted ? ', in quotes that are perhaps never closed,' : '';
      const error = tooLarge('csv', `a record of ${size} bytes${quote}`, rules.maxBytes);
      return this.failed(error, line, bytes, rules.maxBytes, offset);
    }
    // A blank line is no record.
    if (size === 0) return undefined;
    const content = bytes.subarray(0, size);
    if (isBad || isQuoted) return this.malformed(content, line, offset);
    try {
      decodeUtf8(content, 'keep');
    } catch (error) {
      return this.failed(error, line, content, size, offset);
    }
    const [cells = []] = parse(content, '\n', rules.delimiter) ?? [];
    if (this.plan !== undefined || this.headerFault !== undefined) return this.row(cells, line, offset, bytes, 0, size);
    try {
      this.plan = new CsvPlan(cells, rules);
      return undefined;
    } catch (error) {
      return this.failed(error, line, content, size, offset);
    }
  }

  private row(
    cells: readonly string[],
    line: number,
    offset: number,
    source: Uint8Array,
    from: number,
    to: number,
  ): SplitRecord<CsvObject> {
    try {
      if (this.plan === undefined) throw this.noHeader();
      const value = this.plan.row(cells);
      return splitRecord(line, offset, this.offset, source, from, to, value, undefined);
    } catch (error) {
      const said = recordError(error, line, offset);
      return splitRecord<CsvObject>(line, offset, this.offset, source, from, to, undefined, said);
    }
  }

  private malformed(content: Uint8Array, line: number, offset: number): SplitRecord<CsvObject> {
    const { what, column, byte, line: faultLine } = this.scan.fault(content);
    const error = new SluiceError('DECODE_FAILED', `column ${column}: ${what}.`, { details: { column, byte } });
    return this.failed(error, line, content, content.length, offset, line + faultLine - 1);
  }

  private failed(
    error: unknown,
    line: number,
    source: Uint8Array,
    to: number,
    offset: number,
    faultLine = line,
  ): SplitRecord<CsvObject> {
    const said = recordError(error, faultLine, offset);
    if (this.plan === undefined) this.headerFault ??= said;
    return splitRecord<CsvObject>(line, offset, this.offset, source, 0, to, undefined, said);
  }

  private noHeader(): SluiceError {
    const { code, message = '', details } = this.headerFault ?? {};
    return new SluiceError(code ?? 'SCHEMA_INVALID', `the header cannot be used, ${message}`, {
      details: details ?? {},
    });
  }

  /** Learns the names from the beginning of the file, when the splitter starts further on. */
  private readHead(head: Uint8Array): void {
    const beginning = new CsvSplitter(this.rules, {});
    beginning.push(head)[Symbol.iterator]().next();
    if (beginning.plan === undefined && beginning.headerFault === undefined) beginning.end()[Symbol.iterator]().next();
    this.plan = beginning.plan;
    this.headerFault = beginning.headerFault;
  }
}

/** The rows of whole records without the last line end; `undefined` when they are not UTF-8. */
function parse(bytes: Uint8Array, newline: '\n' | '\r\n', delimiter: string): string[][] | undefined {
  let text: string;
  try {
    text = decodeUtf8(bytes, 'keep');
  } catch {
    return undefined;
  }
  // papaparse takes one mark away, but inside of a file it is a character like any other.
  const whole = text.startsWith(MARK) ? MARK + text : text;
  return Papa.parse<string[]>(whole, { delimiter, newline, quoteChar: '"', escapeChar: '"' }).data;
}
