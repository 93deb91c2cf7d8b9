export { fileSource, type FileSourceOptions } from '../sources/file.js';
export { fileOffsets, type FileIdentity, type FileOffset, type OffsetStore } from '../sources/file-offsets.js';
export type { FileFormat, FileMeta } from '../sources/file-record.js';
export { fileSink, type FileRecords, type FileRotation, type FileSinkOptions } from '../sinks/file.js';
export type { FileSync } from '../sinks/file-sync.js';
