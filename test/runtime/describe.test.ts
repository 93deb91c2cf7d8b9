import { map } from 'rxjs';
import { describe as suite, expect, it } from 'vitest';
import { describe, each, memoryBroker, memorySink, memorySource, mermaid, payload, where } from 'sluice';

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
});

suite('mermaid', () => {
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
});
