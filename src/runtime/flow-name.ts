let current = 'flow';

/** What a flow that is started now is called, unless its user names it. @internal */
export function flowName(): string {
  return current;
}

/**
 * Gives the flows that `start` starts a name, so that reports about one of several can be told apart.
 *
 * @internal
 */
export function withFlowName<R>(name: string, start: () => R): R {
  const outer = current;
  current = name;
  try {
    return start();
  } finally {
    current = outer;
  }
}
