import type { Found } from './found.js';
import { isSystemTopic, TOPIC_SIGNS, topicWords, type TopicSyntax } from './topic-pattern.js';

/** One word of one or more patterns. */
class Node {
  /** Left out where there are none, and so are `ids`: most words of thousands of patterns are one way on, or an end. */
  children: Map<string, Node> | undefined = undefined;
  one: Node | undefined = undefined;
  many: Node | undefined = undefined;
  /** Stands for any number of words, so it stays active on each further word. */
  readonly isMany: boolean;
  isLeaf = true;
  /** The patterns that end here. */
  ids: number[] | undefined = undefined;
  /** The step that last activated it: no step activates it twice. */
  step = 0;

  constructor(isMany: boolean) {
    this.isMany = isMany;
  }
}

/**
 * Many patterns of one syntax as a tree of words. A topic walks it with a set of active nodes, so it costs at most its
 * words times the nodes that can be active, never a number of paths: no pattern can make it exponential.
 *
 * @internal
 */
export class TopicTrie {
  readonly syntax: TopicSyntax;
  private readonly separator: string;
  private readonly root = new Node(false);
  /** The nodes reached by the words so far, then those reached by the next word. */
  private active: Node[] = [];
  private activeCount = 0;
  private upcoming: Node[] = [];
  private step = 0;
  /** The first step of the topic at hand: a leaf that was reached since then was counted already. */
  private firstStep = 0;

  constructor(syntax: TopicSyntax) {
    this.syntax = syntax;
    this.separator = TOPIC_SIGNS[syntax].separator;
  }

  /** Adds a valid pattern. */
  add(pattern: string, id: number): void {
    const { one, many } = TOPIC_SIGNS[this.syntax];
    let node = this.root;
    for (const word of topicWords(pattern, this.syntax)) {
      node.isLeaf = false;
      if (word === one) node = node.one ??= new Node(false);
      else if (word === many) node = node.many ??= new Node(true);
      else {
        const children = (node.children ??= new Map<string, Node>());
        let child = children.get(word);
        if (child === undefined) children.set(word, (child = new Node(false)));
        node = child;
      }
    }
    (node.ids ??= []).push(id);
  }

  /** Adds the ids of all patterns that match, in no order. */
  collect(topic: string, found: Found): void {
    this.step += 1;
    this.firstStep = this.step;
    const isSystem = this.syntax === 'mqtt' && isSystemTopic(topic);
    this.upcoming[0] = this.root;
    let count = 1;
    if (this.root.many !== undefined && !isSystem) count = this.reach(this.root.many, count, found);
    this.swap(count);
    // An empty AMQP routing key has no word at all.
    if (topic !== '' || this.syntax === 'mqtt') this.walk(topic, isSystem, found);
    for (let at = 0; at < this.activeCount; at += 1) addAll((this.active[at] as Node).ids, found);
  }

  private walk(topic: string, isSystem: boolean, found: Found): void {
    const { separator } = this;
    let from = 0;
    for (;;) {
      const to = topic.indexOf(separator, from);
      const word = to < 0 ? topic.slice(from) : topic.slice(from, to);
      this.take(word, isSystem && from === 0, found);
      if (to < 0 || this.activeCount === 0) return;
      from = to + 1;
    }
  }

  private take(word: string, skipsWildcards: boolean, found: Found): void {
    this.step += 1;
    let count = 0;
    for (let at = 0; at < this.activeCount; at += 1) {
      const node = this.active[at] as Node;
      if (node.isMany) count = this.reach(node, count, found);
      const child = node.children?.get(word);
      if (child !== undefined) count = this.reach(child, count, found);
      if (node.one !== undefined && !skipsWildcards) count = this.reach(node.one, count, found);
    }
    this.swap(count);
  }

  /** Makes a node one of the upcoming; returns how many there are then. */
  private reach(node: Node, count: number, found: Found): number {
    if (node.step === this.step) return count;
    if (node.isMany && node.isLeaf) {
      // It takes whatever follows, so it need not be walked any further.
      if (node.step < this.firstStep) addAll(node.ids, found);
      node.step = this.step;
      return count;
    }
    node.step = this.step;
    this.upcoming[count] = node;
    return node.many === undefined ? count + 1 : this.reach(node.many, count + 1, found);
  }

  private swap(count: number): void {
    const { active } = this;
    this.active = this.upcoming;
    this.activeCount = count;
    this.upcoming = active;
  }
}

function addAll(ids: readonly number[] | undefined, found: Found): void {
  if (ids !== undefined) for (const id of ids) found.add(id);
}
