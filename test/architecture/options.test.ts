import { describe, expect, it } from 'vitest';
import { planted, publicNames, readTree, type Tree } from './tree.js';

/** One option as its interface has it. */
interface Option {
  readonly of: string;
  readonly name: string;
  readonly isRequired: boolean;
  readonly comment: string;
  /** What the comment on it says is the default, where that is a number or a word of the language. */
  readonly said: string | undefined;
}

const CONNECTORS = ['memory', 'file', 'websocket', 'amqp', 'kafka', 'mqtt'];

/** The options that the public interfaces of these files have of their own; what they inherit stands in another one. */
function optionsIn(tree: Tree, files: RegExp, names: ReadonlySet<string>): Option[] {
  return [...tree].flatMap(([path, text]) => {
    if (!files.test(path)) return [];
    const interfaces = text.matchAll(/^(?:export )?interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm);
    return [...interfaces].flatMap(([, of = '', body = '']) => {
      if (!/(Options|Limits|ChannelFrames)$/.test(of) || !(names.has(of) || of === 'ChannelFrames')) return [];
      const fields = body.matchAll(/(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?^ {2}readonly (\w+)(\??):/gm);
      return [...fields].map(([, comment = '', name = '', mark]) => ({
        of,
        name,
        isRequired: mark !== '?',
        comment,
        said: /[Dd]efault:? `?(\d+(?:,\d{3})*|true\b|false\b|[\w-]+(?=`[.;,]))/.exec(comment)?.[1],
      }));
    });
  });
}

/** Rows of all tables of a page: what each option in the first cell has in the second. */
function defaultsOn(page: string): Map<string, string[]> {
  const cells = new Map<string, string[]>();
  for (const [, first = '', second = ''] of page.matchAll(/^\| ([^|]*) \|([^|]*)\|/gm))
    for (const [, name = ''] of first.matchAll(/`(\w+)`/g))
      cells.set(name, [...(cells.get(name) ?? []), second.trim()]);
  return cells;
}

/** What a page does not list, or lists without its default, or with another one. */
function pageFaults(page: string, options: readonly Option[]): string[] {
  const listed = defaultsOn(page);
  return options.flatMap(({ of, name, isRequired, said }) => {
    const cells = listed.get(name);
    if (cells === undefined) return [`${of}.${name} is not listed`];
    if (!isRequired && cells.every((cell) => cell === '')) return [`${of}.${name} has no default`];
    if (said !== undefined && !cells.some((cell) => cell.includes(said))) return [`${of}.${name} is ${said}`];
    return [];
  });
}

/** Options of public interfaces that may be left out, and whose comment does not say what holds then. */
function defaultFaults(tree: Tree, names: ReadonlySet<string>): string[] {
  return optionsIn(tree, /^src\//, names)
    .filter(({ isRequired, comment }) => !isRequired && !/\bdefault\b/i.test(comment))
    .map(({ of, name }) => `${of}.${name} does not say its default`);
}

const product = (text: string): number =>
  text.split('*').reduce((all, part) => all * Number(part.replaceAll('_', '')), 1);

/** How a number may stand in a comment. */
function spelled(value: number): string[] {
  const [kib, mib] = [value / 1_024, value / 1_048_576];
  const units = [...(Number.isInteger(kib) ? [`${kib} KiB`] : []), ...(Number.isInteger(mib) ? [`${mib} MiB`] : [])];
  return [value.toLocaleString('en-US'), ...units];
}

/** Options whose rule has a limit that their comment does not name: at most, or at least where that is above 1. */
function rangeFaults(tree: Tree, names: ReadonlySet<string>): string[] {
  const options = optionsIn(tree, /^src\//, names);
  return [...tree].flatMap(([path, text]) => {
    if (!path.startsWith('src/')) return [];
    const checks = text.matchAll(/(?:checkOptions<|keyof |OptionRules<)(\w+)[^]*?\n\s*\}(?:,|\);|;)/g);
    return [...checks].flatMap(([rules, of = '']) =>
      [...rules.matchAll(/^\s*(\w+): (?:\w+\()*(?:integer|numeric)\(([\d_ *]+)(?:, ([\d_ *]+))?\)/gm)].flatMap(
        ([, name = '', least = '0', most = '0']) => {
          const option = options.find((one) => one.of === of && one.name === name);
          const limits = [product(least), product(most)].filter((limit) => limit > 1);
          const comment = option?.comment ?? '';
          return limits
            .filter((limit) => names.has(of) && !spelled(limit).some((word) => comment.includes(word)))
            .map((limit) => `${of}.${name} does not say its limit of ${limit}`);
        },
      ),
    );
  });
}

const MAPPER_OPTIONS = ['JsonOptions', 'JsonLimits', 'CsvOptions', 'BytesOptions', 'LinesOptions'];

const project = readTree('src', 'docs');
const names = publicNames(project);
const pageOf = (name: string): string => project.get(`docs/${name}.md`) ?? '';

describe('the reference', () => {
  it.each(CONNECTORS)(
    'of %s lists every option with its default, and links to those that all have (S2.75)',
    (connector) => {
      const options = optionsIn(project, new RegExp(`^src/(links|sources|sinks)/${connector}[-.]`), names);
      expect(options.length).toBeGreaterThan(4);
      expect(pageFaults(pageOf(connector), options)).toEqual([]);
      for (const kind of ['source', 'sink']) expect(pageOf(connector)).toContain(`(options.md#every-${kind})`);
    },
  );

  it('has a page for every connector (S2.75)', () => {
    const sources = [...project.keys()].filter((path) => /^src\/sources\/[a-z]+\.ts$/.test(path));
    expect(sources.map((path) => path.replace(/^.*\/|\.ts$/g, '')).sort()).toEqual([...CONNECTORS].sort());
  });

  it('of what all have lists every option with its default', () => {
    for (const [file, of, heading] of [
      ['source-options', 'SourceOptions', 'source'],
      ['define-sink', 'SinkOptions', 'sink'],
      ['define-link', 'LinkOptions', 'link'],
    ] as const) {
      const options = optionsIn(project, new RegExp(`^src/connection/${file}\\.ts$`), new Set([of]));
      const [, section = ''] = pageOf('options').split(`## Every ${heading}\n`);
      expect(options.length).toBeGreaterThan(3);
      expect(pageFaults(section.split('\n## ')[0] ?? '', options)).toEqual([]);
    }
  });

  it.each([
    ['stages', /^src\/(operators\/|connection\/backoff\.ts)/],
    ['routing', /^src\/router\//],
    ['running', /^src\/runtime\//],
  ] as const)('of %s lists every option with its default', (page, files) => {
    const options = optionsIn(project, files, names);
    expect(options.length).toBeGreaterThan(4);
    expect(pageFaults(pageOf(page), options)).toEqual([]);
  });

  it('of mappers covers JSON, CSV, bytes and lines, each with every option and its default (S2.76)', () => {
    for (const [mapper, files] of [
      ['json', /^src\/mappers\/json-rules\.ts$/],
      ['csv', /^src\/mappers\/csv-columns\.ts$/],
      ['bytes', /^src\/mappers\/bytes\.ts$/],
      ['lines', /^src\/mappers\/lines\.ts$/],
    ] as const) {
      const [, section = ''] = pageOf('mappers').split(`\n## ${mapper}\n`);
      const options = optionsIn(project, files, new Set(MAPPER_OPTIONS));
      expect(options.length).toBeGreaterThan(0);
      expect(section.length).toBeGreaterThan(100);
      expect(pageFaults(section.split('\n## ')[0] ?? '', options)).toEqual([]);
    }
  });

  it('is right: each option that may be left out says its default where it is declared, and its limits', () => {
    expect([...defaultFaults(project, names), ...rangeFaults(project, names)]).toEqual([]);
  });

  it('finds an option that does not say its default, or a limit of its rule', () => {
    const tree = (comment: string, rule: string): Tree =>
      planted({
        'src/a.ts': `export interface AOptions {\n  /** ${comment} */\n  readonly size?: number;\n}\nfunction a(): void {\n  checkOptions<AOptions>('a', options, {\n    size: ${rule},\n  });\n}\n`,
      });
    const faults = (comment: string, rule: string): string[] => {
      const [one, all] = [tree(comment, rule), new Set(['AOptions'])];
      return [...defaultFaults(one, all), ...rangeFaults(one, all)];
    };
    expect(faults('How many, 10 to 65,535. Default 16.', 'integer(10, 65_535)')).toEqual([]);
    expect(faults('How much, up to 1 MiB. Default 1 KiB.', 'numeric(0, 1024 * 1024)')).toEqual([]);
    expect(faults('How many, 10 to 65,535.', 'integer(10, 65_535)')).toEqual([
      'AOptions.size does not say its default',
    ]);
    expect(faults('How many. Default 16.', 'either(integer(10, 65_535), callable)')).toEqual([
      'AOptions.size does not say its limit of 10',
      'AOptions.size does not say its limit of 65535',
    ]);
  });

  it('finds an option that is not listed, has no default, or another one', () => {
    const source = `export interface AOptions {\n  readonly url: string;\n  /** Default 1,000 ms. */\n  readonly waitMs?: number;\n  /** Default \`slow\`. */\n  readonly pace?: string;\n}\n`;
    const options = optionsIn(planted({ 'src/links/a.ts': source }), /a\.ts$/, new Set(['AOptions']));
    const faults = (...rows: readonly string[]): string[] => pageFaults(rows.join('\n'), options);
    const pace = '| `pace` | `slow` | z |';
    expect(faults('| `url` | | x |', '| `waitMs` | 1,000 ms | y |', pace)).toEqual([]);
    expect(faults('| `waitMs` | 1,000 ms | y |', pace)).toEqual(['AOptions.url is not listed']);
    expect(faults('| `url` | | x |', '| `waitMs` | | y |', pace)).toEqual(['AOptions.waitMs has no default']);
    expect(faults('| `url` | | x |', '| `waitMs` | 2,000 ms | y |', pace)).toEqual(['AOptions.waitMs is 1,000']);
    expect(faults('| `url` | | x |', '| `waitMs` | 1,000 ms | y |', '| `pace` | `quick` | z |')).toEqual([
      'AOptions.pace is slow',
    ]);
  });
});
