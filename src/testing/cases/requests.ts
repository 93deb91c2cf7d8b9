import type { CaseId } from '../case-id.js';
import type { ConformanceCase } from '../conformance-case.js';

const TITLES: readonly (readonly [CaseId, ConformanceCase['label'], string])[] = [
  ['RPC-01', 'R', 'answers with a reply or an error reply, and keeps the correlation'],
  ['RPC-02', 'R', 'ends a request at its deadline, and drops what comes later'],
  ['RPC-03', 'R', 'cancels at the other end when a request is unsubscribed'],
  ['RPC-04', 'R', 'says that nobody answers, at once where it can be known'],
  ['RPC-05', 'R', 'gives each of a thousand requests its own reply'],
  ['RPC-06', 'R', 'ends all open requests when the peer is lost'],
  ['RPC-07', 'O', 'streams many replies within their credit'],
  ['RPC-08', 'R', 'ignores a reply that nobody asked for'],
];

/** Request and reply: listed, so that nobody takes their absence for a pass. */
export const REQUEST_CASES: readonly ConformanceCase[] = TITLES.map(([id, label, title]) => ({
  id,
  label,
  title,
  needs: { library: 'request and reply are not built yet' },
  run: () => Promise.reject(new Error('There is nothing to run.')),
}));
