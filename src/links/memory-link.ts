import { defineLink, LINK_RULES, type Link, type LinkOptions } from '../connection/define-link.js';
import { called, checkArgument, checkOptions, text } from '../connection/options.js';
import type { MemoryBroker } from './memory.js';
import type { MemoryConnection } from './memory-connection.js';

/** Options of {@link memoryLink}. */
export interface MemoryLinkOptions extends LinkOptions {
  /** So that faults can be for this link alone. Default: no name. */
  readonly name?: string;
}

/**
 * A shared connection to an in-memory broker.
 *
 * @see memoryLink
 */
export type MemoryLink = Link<MemoryConnection>;

/**
 * One connection to an in-memory broker, to be shared by sources and sinks: it opens with its first user, closes with its
 * last, and is made again when it was lost, as a link over a network would be. A source or sink that is given the broker
 * itself has a connection of its own.
 *
 * @example
 * import { memoryBroker, memoryLink, memorySource } from 'sluice';
 * const broker = memoryBroker();
 * const link = memoryLink(broker, { name: 'billing' });
 * memorySource(link, { topic: 'orders' }).subscribe((message) => message.ack());
 * broker.faults.dropLink('billing');
 * @throws SluiceError `CONFIG_INVALID` for an option out of range
 * @see memoryBroker
 */
export function memoryLink(broker: MemoryBroker, options: MemoryLinkOptions = {}): MemoryLink {
  checkArgument('memoryLink', 'broker', broker, called('a broker made with memoryBroker', 'connect', 'publish'));
  checkOptions<MemoryLinkOptions>('memoryLink', options, {
    ...LINK_RULES,
    name: text,
  });
  return defineLink<MemoryConnection>(
    {
      connector: 'memory',
      connect: (context) => broker.connect(options.name ?? '', context),
      disconnect: (connection) => connection.close(),
      ping: (connection) => connection.ping(),
    },
    options,
  );
}
