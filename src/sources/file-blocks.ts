import type { SplitRecord, Splitter, SplitStart } from '../mappers/codec.js';
import type { FileFormat } from './file-record.js';

/**
 * Each chunk of a file as it was read, for files without records. Lines are not counted.
 *
 * @internal
 */
export const BLOCKS: FileFormat<Uint8Array> = {
  name: 'bytes',
  needsHead: false,
  splitter: (start) => new BlockSplitter(start ?? {}),
};

class BlockSplitter implements Splitter<Uint8Array> {
  private offset: number;

  constructor(start: SplitStart) {
    this.offset = start.offset ?? 0;
  }

  push(chunk: Uint8Array): Iterable<SplitRecord<Uint8Array>> {
    const { offset } = this;
    this.offset += chunk.length;
    return [{ line: 1, offset, nextOffset: this.offset, bytes: chunk, value: chunk, error: undefined }];
  }

  end(): Iterable<SplitRecord<Uint8Array>> {
    return [];
  }
}
