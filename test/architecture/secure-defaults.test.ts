import { describe, expect, it } from 'vitest';
import { readTree, withoutComments } from './tree.js';

type Row = `S${string}`;

/** Which rows of the secure defaults apply to whom, beyond those of every file. */
const APPLIES: Readonly<Record<string, readonly Row[]>> = {
  memory: ['S03', 'S05', 'S12', 'S18', 'S24'],
  file: ['S03', 'S05', 'S19', 'S20', 'S21'],
  amqp: ['S03', 'S04', 'S05', 'S12', 'S13', 'S14', 'S17', 'S21', 'S23', 'S25', 'S28'],
  kafka: ['S03', 'S04', 'S05', 'S12', 'S13', 'S14', 'S17', 'S21', 'S28'],
  mqtt: ['S03', 'S05', 'S10', 'S12', 'S13', 'S14', 'S17', 'S21', 'S25', 'S28'],
  websocket: [
    'S01',
    'S02',
    'S03',
    'S04',
    'S05',
    'S06',
    'S07',
    'S08',
    'S09',
    'S10',
    'S12',
    'S13',
    'S14',
    'S17',
    'S21',
    'S22',
    'S23',
    'S24',
  ],
};

const PASSED = 'headers are the message’s own and go on as they are: which may pass is for the flow to say';

/** What there is nothing to prove of. */
const WITHOUT: Readonly<Record<string, string>> = {
  S10: 'tokens are looked at by the `authenticate` function of the user',
  S12: 'there are no roles: who may do what is decided by the broker, or by `authenticate`',
  S23: 'there are no replies yet',
  S28: 'a dead letter goes to the sink that the user gives',
  'amqp S17': PASSED,
  'kafka S17': PASSED,
  'mqtt S17': PASSED,
  'amqp S04': 'the protocol has no compression',
};

/** Where the evidence of a row is that is not of one connector: mappers, router, and the cases of the suite. */
const SHARED: Readonly<Record<string, RegExp>> = {
  S05: /^test\/mappers\//,
  S18: /^test\/router\//,
  S19: /^test\/mappers\//,
  S24: /^test\/router\//,
};

const tests = readTree('test');

function isNamed(connector: string, row: Row): boolean {
  for (const [path, text] of tests) {
    const isOwn = path.includes(connector) || SHARED[row]?.test(path) === true;
    if (isOwn && path.endsWith('.test.ts') && new RegExp(`\\b${row}\\b`).test(text)) return true;
  }
  return false;
}

describe('secure defaults', () => {
  const rows = Object.entries(APPLIES).flatMap(([connector, of]) => of.map((row) => [connector, row] as const));

  it.each(rows)('%s has a test that names %s, or a reason why there is none', (connector, row) => {
    const reason = WITHOUT[row] ?? WITHOUT[`${connector} ${row}`];
    if (reason === undefined) expect(isNamed(connector, row)).toBe(true);
    else expect(isNamed(connector, row), `it is named and need not be excused: ${reason}`).toBe(false);
  });

  it('finds a row that no test names', () => {
    expect(isNamed('memory', 'S99')).toBe(false);
    expect(isNamed('websocket', 'S06')).toBe(true);
  });

  it('needs nothing at run time but RxJS, and runs nothing when it is installed (S26)', () => {
    const manifest = JSON.parse(readTree('package.json').get('package.json') ?? '') as {
      readonly dependencies?: object;
      readonly peerDependencies: Readonly<Record<string, string>>;
      readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
      readonly scripts: Readonly<Record<string, string>>;
    };
    const { dependencies = {}, peerDependencies, peerDependenciesMeta, scripts } = manifest;
    expect(Object.keys(dependencies)).toEqual([]);
    const needed = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
    expect(needed).toEqual(['rxjs']);
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
  });

  it('makes no code of texts (S27)', () => {
    const dynamic = /\beval\s*\(|new\s+Function\b|\bFunction\s*\(\s*['"`]|\bimport\s*\(\s*[^'"`\s]|\brequire\s*\(/;
    const found = [...readTree('src')].filter(([, text]) => dynamic.test(withoutComments(text))).map(([path]) => path);
    expect(found).toEqual([]);
    for (const bad of ['eval(x)', 'new Function("a")', 'import(name)', 'require (name)']) {
      expect(dynamic.test(bad), bad).toBe(true);
    }
  });
});
