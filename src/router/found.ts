/**
 * A list of rules that is filled anew for each message. It keeps its array at full length and counts instead: emptying an
 * array costs more than finding a rule.
 *
 * @internal
 */
export class Found {
  count = 0;
  private readonly rules: number[] = [];

  at(position: number): number {
    return this.rules[position] as number;
  }

  add(rule: number): void {
    this.rules[this.count] = rule;
    this.count += 1;
  }

  /** Sorts ascending; a rule that was found in two ways is still one. */
  settle(): void {
    const { rules, count } = this;
    if (count < 2) return;
    if (count > 16) {
      rules.length = count;
      rules.sort((a, b) => a - b);
    } else {
      for (let at = 1; at < count; at += 1) {
        const rule = rules[at] as number;
        let free = at;
        for (; free > 0 && (rules[free - 1] as number) > rule; free -= 1) rules[free] = rules[free - 1] as number;
        rules[free] = rule;
      }
    }
    let kept = 1;
    for (let at = 1; at < count; at += 1) if (rules[at] !== rules[kept - 1]) rules[kept++] = rules[at] as number;
    this.count = kept;
  }

  toArray(): number[] {
    return this.rules.slice(0, this.count);
  }
}
