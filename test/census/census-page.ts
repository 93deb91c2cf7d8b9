import { PLAIN_OPERATORS } from './plain-operators.js';

/** The page of the census as it is to be committed, as Markdown. */
export function censusPage(): string {
  const lines = PLAIN_OPERATORS.map(
    ({ name, expected, why, instead }) => `| ${name} | ${expected} | ${why} | ${instead === '' ? '–' : instead} |`,
  );
  return `# Plain operators on a flow

Any RxJS operator that lets each message out exactly once may be used on a flow; those that drop, replace or repeat
messages leave them unsettled or settle them twice, so our stages for that have names of their own, which an
auto-import cannot confuse.

Each row was measured with RxJS 7.8: 24 messages, a credit of 4, and a consumer that acks what reaches it.

- **safe**: all are settled once, or go back to the source when the operator ends the flow.
- **degrades**: the flow goes on, but part of its window is lost until it is subscribed anew.
- **stalls**: the window is used up and nothing more comes.
- **settles twice**: a message is settled again; only the first settlement counts.

| operator | class | why | use instead |
| --- | --- | --- | --- |
${lines.join('\n')}

This page is written by \`npx tsx scripts/write-census.ts\` from the table that the tests measure.
`;
}
