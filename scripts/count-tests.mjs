// node scripts/count-tests.mjs <folder of vitest JSON reports> <failed steps>
// Prints what each run counted and which tests failed in it, and as the last line `N passed, N failed`. A failed step
// without a failed test counts as one failure, so that the line never says 0 failed after a failure. Ends with 1 on any.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const [folder, steps] = [process.argv[2] ?? '.', Number(process.argv[3] ?? 0)];
/** Enough to tell what was expected; the whole of it stands where the test ran. */
const MAX_LINES = 12;

/** What failed in a file: its tests, or the file itself where it could not be read. */
function failuresOf({ name, status, message = '', assertionResults = [] }) {
  const file = relative(process.cwd(), name);
  const tests = assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => ({ title: `${file} > ${test.fullName}`, why: test.failureMessages?.join('\n') ?? '' }));
  return tests.length === 0 && status === 'failed' ? [{ title: file, why: message }] : tests;
}

const total = { passed: 0, failed: 0, skipped: 0 };
for (const file of readdirSync(folder).sort()) {
  const report = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const skipped = report.numPendingTests + (report.numTodoTests ?? 0);
  console.log(
    `${file.replace('.json', '')}: ${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped} skipped`,
  );
  for (const { title, why } of (report.testResults ?? []).flatMap(failuresOf))
    console.log([`FAILED ${title}`, ...why.split('\n').slice(0, MAX_LINES)].join('\n    '));
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += skipped;
}
if (total.passed === 0) console.log('no test has passed: that is a failure too');
const failed = Math.max(total.failed, steps, total.passed === 0 ? 1 : 0);
console.log(`${total.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
