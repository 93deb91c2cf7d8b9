import { called, checkArgument } from '../connection/options.js';
import type { Graph, GraphNode } from './describe.js';

const SHAPES: Readonly<Record<GraphNode['kind'], readonly [string, string]>> = {
  source: ['([', '])'],
  stage: ['[', ']'],
  sink: ['[(', ')]'],
};

/**
 * The Mermaid text of a graph: sources and sinks rounded, stages as boxes, rules on the arrows.
 *
 * @example
 * import { describe, mermaid } from 'sluice';
 * mermaid(describe(orders)); // flowchart LR …
 * @throws SluiceError `CONFIG_INVALID` for what is no graph
 * Source: the Mermaid flowchart syntax.
 * @see describe
 */
export function mermaid(graph: Graph): string {
  checkArgument(
    'mermaid',
    'graph',
    graph,
    called('a graph with nodes and edges, as describe() gives', 'nodes', 'edges'),
  );
  const nodes = graph.nodes.map(({ id, kind, label }) => {
    const [open, close] = SHAPES[kind];
    return `  ${id}${open}"${escaped(label)}"${close}`;
  });
  const edges = graph.edges.map(({ from, to, label }) =>
    label === undefined ? `  ${from} --> ${to}` : `  ${from} -->|"${escaped(label)}"| ${to}`,
  );
  return ['flowchart LR', ...nodes, ...edges].join('\n');
}

const SIGNS: Readonly<Record<string, string>> = {
  '#': '#35;',
  '&': '#amp;',
  '"': '#quot;',
  '<': '#lt;',
  '>': '#gt;',
  '`': '#96;',
};

// Quotes and line ends would end the label, angle brackets be read as HTML, backticks as Markdown, and what looks like a
// sign written as `#35;` as that sign.
function escaped(label: string): string {
  return label.replaceAll(/["&<>`\p{Cc}\u2028\u2029]|#(?=\w+;)/gu, (sign) => SIGNS[sign] ?? ' ');
}
