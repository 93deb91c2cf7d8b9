// What a byte can mean.
const OTHER = 0;
const DELIMITER = 1;
const QUOTE = 2;
const LINE_END = 3;
const RETURN = 4;
const NUL = 5;

// Where in a record the scan is.
const START = 0; // at the first byte of a field
const PLAIN = 1; // inside a field without quotes
const QUOTED = 2; // inside the quotes
const CLOSED = 3; // after a quote inside quotes: the closing one, or the first of two
const RETURNED = 4; // after a CR outside quotes

/** What is wrong with a record, at a field and a line counted from 1, and where in its bytes. */
export interface CsvFault {
  readonly what: string;
  readonly column: number;
  readonly line: number;
  readonly byte: number;
}

/**
 * Finds on the bytes where records end, without reading their fields: a line end inside quotes does not count. It can stop
 * at any byte and go on with the next chunk.
 *
 * Source: RFC 4180 section 2. Stricter than most readers in one point: after a closing quote only a delimiter or line end
 * may follow. A quote inside a field that does not start with one is an ordinary character.
 * @internal
 */
export class CsvScan {
  private readonly kinds = new Uint8Array(256);
  private state = START;
  /** Of the current record: whether it has a fault, and how many line ends inside quotes. */
  isBad = false;
  innerLines = 0;

  constructor(delimiter: number) {
    this.kinds[delimiter] = DELIMITER;
    this.kinds[0x22] = QUOTE;
    this.kinds[0x0a] = LINE_END;
    this.kinds[0x0d] = RETURN;
    this.kinds[0x00] = NUL;
  }

  /** Begins a new record. */
  reset(): void {
    this.state = START;
    this.isBad = false;
    this.innerLines = 0;
  }

  /** True when the bytes so far end inside quotes. */
  get isQuoted(): boolean {
    return this.state === QUOTED;
  }

  /** The position of the LF that ends the current record, or -1 when none of these bytes does. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const { kinds } = this;
    let { state } = this;
    for (let at = from; at < to; at += 1) {
      const kind = kinds[bytes[at] as number] as number;
      if (kind === OTHER) {
        if (state === PLAIN || state === QUOTED) continue;
        if (state !== START) this.isBad = true;
        state = PLAIN;
      } else if (state === QUOTED) {
        if (kind === QUOTE) state = CLOSED;
        else if (kind === LINE_END) this.innerLines += 1;
        else if (kind === NUL) this.isBad = true;
      } else if (kind === LINE_END) {
        this.state = state;
        return at;
      } else {
        if (state === RETURNED || kind === NUL) this.isBad = true;
        state = this.after(kind, state);
      }
    }
    this.state = state;
    return -1;
  }

  private after(kind: number, state: number): number {
    if (kind === DELIMITER) return START;
    if (kind === RETURN) return RETURNED;
    if (kind === QUOTE && (state === START || state === CLOSED)) return QUOTED;
    return PLAIN;
  }

  /** The first fault of a whole record that is bad or ends inside quotes, given without its line end. */
  fault(record: Uint8Array): CsvFault {
    let column = 1;
    let line = 1;
    let state = START;
    let opened = { column, line, byte: 0 };
    for (let byte = 0; byte < record.length; byte += 1) {
      const kind = this.kinds[record[byte] as number] as number;
      const here = { column, line, byte };
      if (kind === NUL) return { what: 'a NUL byte', ...here };
      if (kind === LINE_END) line += 1;
      if (state === QUOTED) {
        if (kind === QUOTE) state = CLOSED;
        continue;
      }
      // The CR of the line end is not part of the record.
      if (kind === RETURN) return { what: 'a CR without LF outside quotes', ...here };
      if (state === CLOSED && kind === OTHER)
        return { what: 'text after a closing quote: quotes inside a field have to be doubled', ...here };
      if (state === START) opened = here;
      if (kind === DELIMITER) column += 1;
      state = this.after(kind, state);
    }
    return { what: 'a quote that is never closed', ...opened };
  }
}
