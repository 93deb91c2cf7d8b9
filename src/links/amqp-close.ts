/** A channel or a connection of the client. */
interface Closable {
  close(): Promise<void>;
  on(event: 'close', listener: () => void): unknown;
}

/**
 * Closes it, whatever state it is in. The client's own promise stays open for ever when the connection goes first, and is
 * rejected when it had gone before.
 *
 * @internal
 */
export function closeAmqp(closable: Closable): Promise<void> {
  return new Promise((resolve) => {
    closable.on('close', resolve);
    // Some of its states throw instead of rejecting.
    Promise.resolve()
      .then(() => closable.close())
      .then(resolve, () => resolve());
  });
}
