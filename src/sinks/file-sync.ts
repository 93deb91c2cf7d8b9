/**
 * When what was written is forced to disk, and with it acked: with each record, with all that came together, at most so
 * often, or never.
 *
 * @see fileSink
 */
export type FileSync = 'every' | 'batch' | 'never' | { readonly everyMs: number };
