import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { bytesUpTo } from '../links/file.js';
import type { RecordMapper } from '../mappers/codec.js';

/** How much of the end is looked at first. What a crash left of a larger record is not seen there. */
const TAIL_BYTES = 256 * 1024;
const STEP_BYTES = 256 * 1024;

/**
 * How many of the first `end` bytes of a file, which end with a line, are whole records of the format. All, unless a record
 * has line ends inside, as a quoted CSV field may, and a crash left only its first lines.
 *
 * @internal
 */
export async function upToWholeRecord(format: RecordMapper<never>, handle: FileHandle, end: number): Promise<number> {
  const from = await bytesUpTo(0x0a, handle, Math.max(0, end - TAIL_BYTES));
  const unfinished = await unfinishedAt(format, handle, from, end);
  if (unfinished === undefined || from === 0) return unfinished ?? end;
  // That line may have begun inside of a record, and what looks unfinished from there be whole: all of the file tells.
  return (await unfinishedAt(format, handle, 0, end)) ?? end;
}

/** Where the record begins that has no end, when the first one begins at `from`. */
async function unfinishedAt(
  format: RecordMapper<never>,
  handle: FileHandle,
  from: number,
  end: number,
): Promise<number | undefined> {
  const splitter = format.splitter(from === 0 ? {} : { offset: from, head: format.head });
  for (let at = from; at < end;) {
    const step = Buffer.alloc(Math.min(STEP_BYTES, end - at));
    const { bytesRead } = await handle.read(step, 0, step.length, at);
    if (bytesRead === 0) break;
    // A record is done with once it was taken.
    for (const { nextOffset } of splitter.push(step.subarray(0, bytesRead))) void nextOffset;
    at += bytesRead;
  }
  for (const { offset } of splitter.end()) return offset;
  return undefined;
}
