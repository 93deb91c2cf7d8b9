import { isThenable } from '../connection/is-thenable.js';
import { called, either, type OptionRule } from '../connection/options.js';
import type { MemoryBroker, MemoryConnectContext } from './memory.js';
import type { MemoryConnection } from './memory-connection.js';
import type { MemoryLink } from './memory-link.js';

/**
 * What memory sources and sinks can be given: a broker, for a connection of their own, or a link to share one.
 *
 * @see memoryBroker
 * @see memoryLink
 */
export type MemoryAccess = MemoryBroker | MemoryLink;

/** A broker or a link. @internal */
export const MEMORY_ACCESS: OptionRule = either(
  called('a broker made with memoryBroker', 'connect', 'publish'),
  called('a link made with memoryLink', 'use'),
);

interface Closable {
  close(): void | PromiseLike<void>;
}

/** The part of a source's or sink's definition that says over which connection it opens. */
interface Connected<X, R> {
  readonly link?: MemoryLink;
  open(context: X, connection: MemoryConnection): R | PromiseLike<R>;
}

/**
 * Opens over the link's connection, or over a connection of its own that ends with what was opened.
 *
 * @internal
 */
export function connected<X extends MemoryConnectContext, R extends Closable>(
  access: MemoryAccess,
  open: (context: X, connection: MemoryConnection) => R,
): Connected<X, R> {
  if ('use' in access) return { link: access, open };
  const openOwn = (context: X, connection: MemoryConnection): R => {
    const opened = open(context, connection);
    const close = (): void => {
      void opened.close();
      connection.close();
    };
    return { ...opened, close };
  };
  return {
    open(context) {
      const connection = access.connect('', context);
      return isThenable(connection) ? connection.then((own) => openOwn(context, own)) : openOwn(context, connection);
    },
  };
}
