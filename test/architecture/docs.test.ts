import { describe, expect, it } from 'vitest';
import { planted, publicNames, readTree, type Tree } from './tree.js';

/** What has an entry, as people write it. */
const WRITTEN: Readonly<Record<string, RegExp>> = {
  amqp: /\b(AMQP|RabbitMQ)\b/i,
  csv: /\bCSV\b/i,
  file: /\bfile\b/i,
  grpc: /\bgRPC\b/i,
  http: /\b(HTTP|REST|webhooks?)\b/i,
  kafka: /\bKafka\b/i,
  mqtt: /\bMQTT\b/i,
  sql: /\bSQL\b/,
  websocket: /\bWebSocket\b/i,
};

/** Options and members, as interfaces write them. */
function memberNames(tree: Tree): Set<string> {
  const members = /^ {2}(?:readonly (\w+\$?)|(\w+)\??[(<].*;$)/gm;
  return new Set([...tree.values()].flatMap((text) => [...text.matchAll(members)].map(([, a, b]) => a ?? b ?? '')));
}

/**
 * Rows of docs/concepts.md end with `here` or `planned`. What a row names in code marks has to agree: of the names of a
 * row that is here at least one can be imported, and the others too or they are options or members; the first name of a planned
 * one cannot. No planned row is of a protocol or format that has an entry, and none that is here names an entry that is not.
 */
function conceptFaults(tree: Tree): string[] {
  const names = publicNames(tree);
  const members = memberNames(tree);
  const isEntry = (name: string): boolean => tree.has(`src/entries/${name}.ts`);
  const rows = [...(tree.get('docs/concepts.md') ?? '').matchAll(/^\| (.+?) \| (.+) \| (\w+) \|$/gm)];
  return rows.flatMap(([, theirs = '', ours = '', state = '']) => {
    const named = [...ours.matchAll(/`([A-Za-z]\w*)\b[^`]*`/g)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'sluice');
    const entries = [...ours.matchAll(/`sluice\/([\w-]+)`/g)].map(([, name = '']) => name);
    const written = Object.entries(WRITTEN).filter(([, word]) => word.test(theirs));
    if (theirs === 'founding name') return [];
    if (state === 'here') {
      const isMissing = named.length > 0 && !named.some((name) => names.has(name));
      if (isMissing || !entries.every(isEntry)) return [`${theirs} is planned`];
      const words = [...ours.matchAll(/`([^`/]+)`/g)].flatMap(
        ([, code = '']) => code.replace(/\(.*\)|'.*?'/g, '').match(/[A-Za-z]\w*\$?/g) ?? [],
      );
      return words
        .filter((word) => !names.has(word) && !members.has(word))
        .map((word) => `${theirs} names ${word}, which is not there`);
    }
    const isHere = names.has(named[0] ?? '') || entries.some(isEntry) || written.some(([name]) => isEntry(name));
    return state === 'planned' && !isHere ? [] : [`${theirs} is here`];
  });
}

/** What the founding documents call their parts. */
const FOUNDING = {
  S0: 'DataExchange DataExchangeImpl DataExchangeProcessor DataExchangeSource DataExchangeSink ConnectionType ConnectionInfo',
  S1: 'Connector Runner Router Middleware ApiModule LightweightModule Handler Handle ClientBuilder AppState Rule ReconnectCallback',
  S2: 'source sink mapper manager STREAM INSERT CASE Kafka RabbitMQ WebSocket HTTP file JSON CSV bytes Avro Protobuf',
  S3: 'REST gRPC Kafka WebSocket request streaming broadcast retry dead tracing roles',
  S4: 'SparkChannelCancellationToken CallbackSender CallbackWrapper SparkGenericModuleMessage SparkGenericModuleDispatcher SparkGenericModuleHandler runModuleServer IntoResult',
} as const;

/** Founding names that no row of their section has in its first cell. */
function foundingFaults(page: string): string[] {
  return Object.entries(FOUNDING).flatMap(([document, words]) => {
    const [, section = ''] = page.split(`(${document})\n`);
    const theirs = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| (.+?) \|/gm)].map(([, cell = '']) => cell);
    return words
      .split(' ')
      .filter((word) => !theirs.some((cell) => new RegExp(`\\b${word}\\b`).test(cell)))
      .map((word) => `${document} has no ${word}`);
  });
}

/** The blocks of code of a page that are not word for word in the program they come from; white space does not count. */
function quoteFaults(page: string, program: string): string[] {
  const flat = (text: string): string => text.replace(/\s+/g, ' ').trim();
  const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  return blocks.filter((block) => !flat(program).includes(flat(block)));
}

describe('docs', () => {
  it('quote the program that adds a connector (S0.44)', () => {
    const page = readTree('docs').get('docs/add-a-connector.md') ?? '';
    const program = readTree('examples').get('examples/09-own-connector.ts') ?? '';
    const [rest] = page.split('## 4. Options');
    const [, use = ''] = page.split('## 6. Use it');
    expect(quoteFaults(`${rest ?? ''}${use}`, program)).toEqual([]);
    expect(quoteFaults('```ts\nopen();\n```', program)).toHaveLength(1);
  });

  it('say of each concept whether it is here', () => {
    expect(conceptFaults(readTree('src', 'docs/concepts.md'))).toEqual([]);
  });

  it('finds a concept that is not here yet, and one that is by now', () => {
    const faults = (row: string): string[] =>
      conceptFaults(
        planted({
          'src/index.ts': `export { each, type Mapper } from './a.js';`,
          'src/a.ts': 'export interface EachOptions {\n  readonly onError?: string;\n  retry(work: number): void;\n}\n',
          'docs/concepts.md': row,
        }),
      );
    expect(faults('| Loop | `each(work)` with `retry` | here |')).toEqual([]);
    expect(faults('| Loop | `route` | planned |')).toEqual([]);
    expect(faults('| Loop | `route` | here |')).toEqual(['Loop is planned']);
    expect(faults('| Loop | `each` | planned |')).toEqual(['Loop is here']);
    expect(faults('| Loop | `each` | perhaps |')).toEqual(['Loop is here']);
    expect(faults("| Loop | `onError: 'dead'` of `each(work)` | here |")).toEqual([]);
    expect(faults('| Loop | `lanes` of `each` | here |')).toEqual(['Loop names lanes, which is not there']);
  });

  it('finds a protocol that is not here yet, and one that is by now', () => {
    const faults = (row: string): string[] =>
      conceptFaults(planted({ 'src/entries/kafka.ts': `export { a } from './a.js';`, 'docs/concepts.md': row }));
    expect(faults('| gRPC | connectors of those names | planned |')).toEqual([]);
    expect(faults('| REST, Kafka | connectors of those names | planned |')).toEqual(['REST, Kafka is here']);
    expect(faults('| SQL | `sluice/kafka` | planned |')).toEqual(['SQL is here']);
    expect(faults('| SQL | `sluice/sql` | here |')).toEqual(['SQL is planned']);
  });

  it('have a place for every founding name', () => {
    const page = readTree('docs').get('docs/concepts.md') ?? '';
    expect(foundingFaults(page)).toEqual([]);
    expect(foundingFaults(page.replaceAll('ClientBuilder', ''))).toEqual(['S1 has no ClientBuilder']);
  });
});
