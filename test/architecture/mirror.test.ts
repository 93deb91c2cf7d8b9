import { describe, expect, it } from 'vitest';
import { planted, readTree, withoutComments, type Tree } from './tree.js';

// Parts of one thing that is tested as a whole, where a test of the part alone would only repeat how it is built.
const COVERED_BY_NEIGHBOUR: Readonly<Record<string, { readonly test: string; readonly reason: string }>> = {
  ...parts('src/links', 'memory-queue', ['memory-consumer', 'memory-lane']),
  ...parts('src/links', 'memory-faults', ['memory-access']),
  ...parts('src/links', 'amqp', ['amqp-options']),
  ...parts('src/links', 'mqtt', ['mqtt-connection', 'mqtt-options']),
  ...parts('src/mappers', 'csv', ['csv-cell', 'csv-plan', 'csv-scan', 'csv-splitter']),
  ...parts('src/mappers', 'json', [
    'json-decode',
    'json-encodable',
    'json-precheck',
    'json-rules',
    'json-scan',
    'json-value-check',
  ]),
  ...parts('src/mappers', 'lines', ['chunk-splitter', 'codec', 'line-splitter', 'record-mapper', 'split-record']),
  ...parts('src/mappers', 'text', ['size']),
  ...parts('src/sources', 'file', [
    'file-blocks',
    'file-offsets',
    'file-reader',
    'file-retries',
    'file-rotation',
    'file-tracked',
    'file-walk',
    'file-watch',
  ]),
  ...parts('src/sinks', 'file', ['file-tail', 'file-target', 'file-writer']),
  ...parts('src/testing', 'connector-suite', [
    'case-consumer',
    'case-context',
    'case-offers',
    'case-publisher',
    'cases/credit',
    'cases/delivery',
    'cases/errors',
    'cases/linkage',
    'cases/load',
    'cases/membership',
    'cases/observation',
    'cases/peer-loss',
    'cases/reconnect',
    'cases/requests',
    'cases/resources',
    'cases/security',
    'cases/settlement',
    'cases/shutdown',
    'cases/sinks',
    'cases/stream',
    'cases/transfer',
    'cloud-events',
    'conformance-case',
    'watch-strays',
    'work-time',
  ]),
  'src/operators/each-runner.ts': {
    test: 'test/operators/each.test.ts',
    reason: 'the engine of each; every promise of it is made by each',
  },
  ...parts('src/connection', 'define-source', ['source-session', 'source-base', 'source-reports']),
  ...parts('src/connection', 'define-source', ['reader-context', 'source-options']),
  ...parts('src/connection', 'parts', ['ring', 'trampoline', 'status-cell']),
  ...parts('src/message', 'message', ['envelope', 'settlement']),
  ...parts('src/message', 'message', ['batch-partial', 'parts']),
  ...parts('src/operators', 'each', ['each-runner', 'each-task']),
  ...parts('src/operators', 'from-async-iterable', ['iterable-values']),
  ...parts('src/runtime', 'run', ['drain', 'cell']),
  ...parts('src/runtime', 'topology', ['flow-name']),
  ...parts('src/runtime', 'describe', ['mermaid']),
  'src/connection/scope.ts': {
    test: 'test/runtime/run.test.ts',
    reason: 'how run finds the sources of a flow',
  },
  'src/links/kafkajs-driver.ts': {
    test: 'test/integration/kafka.contract.test.ts',
    reason: 'what a client does shows only on a broker',
  },
  ...Object.fromEntries(
    ['cluster', 'connection', 'consumer', 'member'].map((name) => [
      `src/links/platformatic-${name}.ts`,
      {
        test: 'test/integration/kafka-platformatic.contract.test.ts',
        reason: 'what a group, a reader and a writer do shows only on a broker',
      },
    ]),
  ),
  'src/links/kafka-transactions.ts': {
    test: 'test/sinks/kafka-transact.test.ts',
    reason: 'what a transaction asks of readers',
  },
  ...parts('src/sources', 'kafka-reader', ['kafka-delivery', 'kafka-elsewhere', 'kafka-partition']),
  ...parts('src/sources', 'kafka-reader', ['kafka-share', 'kafka-start']),
  'src/connection/describe.ts': {
    test: 'test/runtime/describe.test.ts',
    reason: 'what a graph is drawn from',
  },
  'src/router/check-condition.ts': {
    test: 'test/router/compile-rules.test.ts',
    reason: 'what is wrong with a rule is told when it is compiled',
  },
  'src/router/compile-condition.ts': {
    test: 'test/router/matchers.test.ts',
    reason: 'each matcher is tried on messages there',
  },
  'src/router/regex-cost.ts': {
    test: 'test/router/pattern.test.ts',
    reason: 'every expression comes through pattern',
  },
  'src/router/rule-plan.ts': {
    test: 'test/router/rule-index.test.ts',
    reason: 'a plan is right when the index finds what trying finds',
  },
  'src/router/sequence-state.ts': {
    test: 'test/router/sequence.test.ts',
    reason: 'what is remembered shows in what sequence matches',
  },
  'src/router/topic-trie.ts': {
    test: 'test/router/topic-index.test.ts',
    reason: 'the tree behind topicIndex',
  },
};

function parts(
  folder: string,
  whole: string,
  names: readonly string[],
): Record<string, { readonly test: string; readonly reason: string }> {
  const test = `${folder.replace('src/', 'test/')}/${whole}.test.ts`;
  return Object.fromEntries(names.map((name) => [`${folder}/${name}.ts`, { test, reason: `a part of ${whole}` }]));
}

/** Files with nothing in them at run time need no test: types are checked where they are used. */
const holdsCode = (text: string): boolean =>
  /^export (async )?(function|const|let|class|abstract)\b/m.test(withoutComments(text));
const isReExport = (path: string): boolean => path === 'src/index.ts' || path.startsWith('src/entries/');

function mirrorFaults(tree: Tree): string[] {
  const faults: string[] = [];
  for (const [path, text] of tree) {
    if (!path.startsWith('src/') || isReExport(path) || !holdsCode(text)) continue;
    const neighbour = COVERED_BY_NEIGHBOUR[path];
    const test = neighbour?.test ?? path.replace(/^src\/(.*)\.ts$/, 'test/$1.test.ts');
    if (!tree.has(test)) faults.push(`${path} has no ${test}`);
  }
  return faults;
}

function strayFaults(tree: Tree): string[] {
  return Object.keys(COVERED_BY_NEIGHBOUR)
    .filter((path) => !tree.has(path) || tree.has(path.replace(/^src\/(.*)\.ts$/, 'test/$1.test.ts')))
    .map((path) => `${path} needs no exception any more`);
}

describe('mirror', () => {
  const project = readTree('src', 'test');

  it('gives every source file its test file', () => {
    expect(mirrorFaults(project)).toEqual([]);
  });

  it('has no exception that is not needed', () => {
    expect(strayFaults(project)).toEqual([]);
  });

  it('finds a file without its test, but asks none for types', () => {
    const file = { 'src/links/a.ts': 'export const a = 1;', 'src/links/b.ts': 'export interface B {}' };
    expect(mirrorFaults(planted(file))).toEqual(['src/links/a.ts has no test/links/a.test.ts']);
    expect(mirrorFaults(planted({ ...file, 'test/links/a.test.ts': '' }))).toEqual([]);
  });

  it('finds an exception that outlived its file', () => {
    expect(strayFaults(planted({}))).not.toEqual([]);
  });
});
