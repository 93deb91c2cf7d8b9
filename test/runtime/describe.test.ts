import { map } from 'rxjs';
import { describe as suite, expect, it } from 'vitest';
import {
  batch,
  busy,
  deadLetter,
  dedupe,
  deliver,
  describe,
  each,
  fanout,
  field,
  flow,
  type Flow,
  latest,
  lossy,
  memoryBroker,
  memorySink,
  memorySource,
  mermaid,
  payload,
  route,
  type Sink,
  tapMessage,
  through,
  unbatch,
  where,
} from 'sluice';

suite('describe', () => {
  it('shows a flow from its source to its sink without subscribing', () => {
    const broker = memoryBroker();
    const bill = (n: number): number => n;
    const flow = memorySource<number>(broker, { topic: 'a' }).pipe(
      payload((n) => n),
      map((message) => message),
      where((n) => n > 1),
      each(bill),
    );
    const graph = describe(flow, memorySink(broker, { topic: 'b' }));
    expect(graph.nodes.map(({ kind, label }) => `${kind} ${label}`)).toEqual([
      'source memory',
      'stage payload',
      'stage rxjs',
      'stage where',
      'stage each(bill)',
      'sink memory',
    ]);
    expect(graph.edges).toHaveLength(5);
  });

  it('shows every stage, the ways that leave it, and what comes out of it', () => {
    const broker = memoryBroker();
    const [audit, dead] = ['audit', 'dead'].map((topic) => ({ ...memorySink(broker, { topic }), name: topic }));
    const graph = describe(
      flow(
        memorySource<number>(broker, { topic: 'a' }),
        deadLetter(dead as Sink<number>),
        dedupe({ by: (message) => message.id, maxKeys: 1 }),
        deliver(audit as Sink<number>),
        batch({ size: 2, maxWaitMs: 1 }),
        unbatch(),
        fanout([
          fanout([payload((n: number) => n), tapMessage<number>(() => undefined)]),
          (source: Flow<number>) => source,
          audit as Sink<number>,
        ]),
        route([{ name: 'large', when: field('total'), to: latest((n: number) => n) }], {
          otherwise: busy((n: number) => n),
        }),
        through((n$) => n$),
        lossy((messages) => messages),
      ),
      audit,
    );
    const label = (id: string): string => graph.nodes.find((node) => node.id === id)?.label ?? id;
    const arrows = graph.edges.map(({ from, to, label: way }) =>
      [label(from), way, label(to)].filter(Boolean).join(' > '),
    );
    expect(arrows.toSorted()).toEqual(
      [
        'memory > deadLetter',
        'deadLetter > dead > dead',
        'deadLetter > dedupe',
        'dedupe > deliver(audit)',
        'deliver(audit) > audit',
        'deliver(audit) > batch',
        'batch > unbatch',
        'unbatch > fanout',
        'fanout > 1 > fanout',
        'fanout > 1 > payload',
        'fanout > 2 > tapMessage',
        'fanout > 3 > audit',
        'payload > route',
        'tapMessage > route',
        'fanout > route',
        'route > large: field total exists > latest()',
        'route > otherwise > busy()',
        'latest() > through',
        'busy() > through',
        'through > lossy',
        'lossy > audit',
      ].toSorted(),
    );
    expect(graph.nodes.filter(({ label: name }) => name === 'audit')).toHaveLength(1);
    expect(new Set(graph.nodes.map(({ id }) => id)).size).toBe(graph.nodes.length);
  });
});

suite('mermaid', () => {
  it('refuses what is no graph', () => {
    expect(() => mermaid({} as never)).toThrow(/mermaid.*'graph'.*as describe\(\) gives/);
  });

  it('writes nodes by kind and labels on arrows, and escapes what would end a label', () => {
    const text = mermaid({
      nodes: [
        { id: 'n1', kind: 'source', label: 'memory' },
        { id: 'n2', kind: 'stage', label: 'each("<x>")' },
        { id: 'n3', kind: 'sink', label: 'file' },
      ],
      edges: [
        { from: 'n1', to: 'n2' },
        { from: 'n2', to: 'n3', label: 'big' },
      ],
    });
    expect(text.split('\n')).toEqual([
      'flowchart LR',
      '  n1(["memory"])',
      '  n2["each(#quot;#lt;x#gt;#quot;)"]',
      '  n3[("file")]',
      '  n1 --> n2',
      '  n2 -->|"big"| n3',
    ]);
  });

  it('keeps each label on its line and as it is, whatever stands in it', () => {
    const label = '`a`\nb\u2028c#35;d orders/#';
    expect(mermaid({ nodes: [{ id: 'n1', kind: 'stage', label }], edges: [] })).toBe(
      'flowchart LR\n  n1["#96;a#96; b c#35;35;d orders/#"]',
    );
  });
});
