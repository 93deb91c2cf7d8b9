import { conformance, type CaseId, type Harness, type Runner } from 'sluice/testing';

/** Registers nowhere: the records are what is wanted. */
export const nowhere: Runner = {
  describe: (_name, body) => body(),
  it: Object.assign(() => undefined, { skip: () => undefined }),
};

const NOTHING: Harness = {
  name: 'nothing',
  clock: 'virtual',
  features: { ack: 'none', confirms: 'none', flowControl: 'none', headers: 'none' },
  can: [],
  open: () => Promise.reject(new Error('There is nothing.')),
};

/** Every case of the suite. */
export const CASE_IDS: readonly CaseId[] = conformance(NOTHING, nowhere).map(({ id }) => id);
