import { Observable } from 'rxjs';
import { descriptionOf, type Description } from '../connection/describe.js';
import type { Flow, Sink, Stage } from '../connection/flow.js';
import { checkArgument, flowLike, sinkLike } from '../connection/options.js';

/** One box of a {@link Graph}. */
export interface GraphNode {
  /** Unique in its graph. */
  readonly id: string;
  readonly kind: 'source' | 'stage' | 'sink';
  readonly label: string;
}

/** One arrow of a {@link Graph}. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly label?: string;
}

/**
 * What a flow is made of, as plain data.
 *
 * @see describe
 */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/**
 * The graph of a flow and, if given, the sink it runs into. Nothing is subscribed. Stages of ours show by name, routes
 * with their rules; plain RxJS operators, which say nothing of themselves, show as `rxjs`.
 *
 * @example
 * import { describe, mermaid } from 'sluice';
 * console.log(mermaid(describe(orders, audit)));
 * @throws SluiceError `CONFIG_INVALID` for what is no flow or no sink
 * @see mermaid
 */
export function describe(flow: Flow<unknown>, sink?: Sink<never>): Graph {
  checkArgument('describe', 'flow', flow, flowLike);
  if (sink !== undefined) checkArgument('describe', 'sink', sink, sinkLike);
  const drawing = new Drawing();
  const last = drawing.flow(flow);
  if (sink !== undefined) drawing.edge(last, drawing.sink(sink));
  return { nodes: drawing.nodes, edges: drawing.edges };
}

class Drawing {
  readonly nodes: GraphNode[] = [];
  readonly edges: GraphEdge[] = [];
  /** Flows that are drawn already, by the node they end in. */
  private readonly drawn = new Map<unknown, string[]>();
  private readonly sinks = new Map<unknown, string>();
  /** Branches begun so far: each has an entry of its own, also one inside another. */
  private entries = 0;

  node(kind: GraphNode['kind'], label: string): string {
    const id = `n${this.nodes.length + 1}`;
    this.nodes.push({ id, kind, label });
    return id;
  }

  edge(from: readonly string[], to: string, label?: string): void {
    for (const start of from) this.edges.push(edgeOf(start, to, label));
  }

  /** Draws what leads to the flow; returns the nodes it comes out of. */
  flow(flow: unknown): string[] {
    const known = this.drawn.get(flow);
    if (known !== undefined) return known;
    const description = descriptionOf(flow);
    const ends = description === undefined ? this.foreign(flow) : this.described(description);
    this.drawn.set(flow, ends);
    return ends;
  }

  private described(description: Description): string[] {
    const before = description.upstream === undefined ? [] : this.flow(description.upstream);
    const at = this.node(description.kind, description.name);
    this.edge(before, at);
    if (description.branches === undefined) return [at];
    const ends = description.branches.flatMap(({ label, to }) => this.branch(at, label === '' ? undefined : label, to));
    return description.goesOn === true ? [at, ...ends] : ends;
  }

  /** One box for each sink, however many ways lead to it. */
  sink(sink: unknown): string {
    const known = this.sinks.get(sink);
    if (known !== undefined) return known;
    const at = this.node('sink', descriptionOf(sink)?.name ?? (sink as Sink<never>).name ?? 'observer');
    this.sinks.set(sink, at);
    return at;
  }

  private branch(from: string, label: string | undefined, to: unknown): string[] {
    if (typeof to !== 'function') {
      this.edge([from], this.sink(to), label);
      return [];
    }
    // A stage only builds: applied to a flow that never is subscribed, it shows what it would be made of.
    const entry = new Observable<never>();
    this.entries += 1;
    const marker = `entry ${this.entries}`;
    this.drawn.set(entry, [marker]);
    const ends = this.flow((to as Stage<never, never>)(entry));
    const inside = this.edges.filter((edge) => edge.from === marker);
    for (const edge of inside) this.edges.splice(this.edges.indexOf(edge), 1, edgeOf(from, edge.to, label));
    return ends.map((end) => (end === marker ? from : end));
  }

  /** An Observable that says nothing of itself: one made by an RxJS operator still knows what it was made from. */
  private foreign(flow: unknown): string[] {
    const { source } = flow as { readonly source?: unknown };
    if (source === undefined) return [this.node('source', 'observable')];
    const before = this.flow(source);
    const at = this.node('stage', 'rxjs');
    this.edge(before, at);
    return [at];
  }
}

function edgeOf(from: string, to: string, label: string | undefined): GraphEdge {
  return { from, to, ...(label === undefined ? {} : { label }) };
}
