import { describe, expect, it } from 'vitest';
import { planted, readTree, withoutComments, type Tree } from './tree.js';

// Time, timers, turns and randomness come from src/clock.ts alone, so that a test that owns the clock owns them all.
const OUTSIDE_THE_SEAM = [
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bMath\.random\b/,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bclear(Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bperformance\b/,
  /\bprocess\.(hrtime|nextTick|uptime)\b/,
  /\b(randomUUID|getRandomValues|randomBytes|randomInt)\b/,
  /\brequestAnimationFrame\b/,
  /\bAbortSignal\.timeout\b/,
  /\btimers\/promises\b/,
  // RxJS's own timers and schedulers look at the machine's clock.
  /\b(timer|interval|delay|debounceTime|throttleTime|auditTime|sampleTime|bufferTime|timeout|timestamp)\b[^;]*\} from 'rxjs'/,
  /\b(asyncScheduler|asapScheduler|queueScheduler|animationFrameScheduler)\b/,
];

function seamFaults(tree: Tree): string[] {
  return [...tree]
    .filter(([path]) => path !== 'src/clock.ts')
    .flatMap(([path, text]) =>
      OUTSIDE_THE_SEAM.map((pattern) => pattern.exec(withoutComments(text))?.[0])
        .filter((found) => found !== undefined)
        .map((found) => `${path} uses ${found.split('\n')[0] ?? found}`),
    );
}

describe('the clock', () => {
  it('is where all time, timers, turns and randomness come from', () => {
    expect(seamFaults(readTree('src'))).toEqual([]);
  });

  it.each([
    'const at = Date.now();',
    'const at = new Date().toISOString();',
    'const jitter = Math.random();',
    'setTimeout(work, 1);',
    'globalThis.queueMicrotask(work);',
    'const from = performance.now();',
    'process.nextTick(work);',
    'const id = crypto.randomUUID();',
    'fetch(url, { signal: AbortSignal.timeout(5) });',
    `import { setTimeout as sleep } from 'node:timers/promises';`,
    `import { Observable, timer } from 'rxjs';`,
    `import { asapScheduler } from 'rxjs';`,
  ])('finds %s', (line) => {
    expect(seamFaults(planted({ 'src/links/a.ts': line }))).not.toEqual([]);
  });

  it('lets the seam itself, and a word in a comment, be', () => {
    expect(seamFaults(planted({ 'src/clock.ts': 'Date.now()', 'src/links/a.ts': '// not Date.now()' }))).toEqual([]);
  });
});
