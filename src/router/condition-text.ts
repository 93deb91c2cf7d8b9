import type { AnyWhen, Scalar, ValueTest } from './matcher.js';

/** How many values of a list are written out. */
const LISTED = 5;

/** A rule's `when` in words, for lists, graphs and errors: `topic orders/# and field total > 100`. @internal */
export function conditionText(when: AnyWhen): string {
  if (typeof when === 'function') return when.name === '' ? 'function' : `function ${when.name}`;
  switch (when.kind) {
    case 'topic':
      return `topic ${when.pattern}`;
    case 'header':
      return `header ${when.name} ${testText(when.test)}`;
    case 'field':
      return `field ${when.path} ${testText(when.test)}`;
    case 'key':
      return `key ${testText(when.test)}`;
    case 'and':
      return joined(when.all, ' and ');
    case 'or':
      return joined(when.any, ' or ');
    case 'not':
      return `not (${conditionText(when.condition)})`;
    case 'sequence':
      return `${wrapped(when.first)}, then ${wrapped(when.second)} within ${when.withinMs} ms`;
  }
}

function joined(conditions: readonly AnyWhen[], word: string): string {
  return conditions.map(wrapped).join(word);
}

function wrapped(condition: AnyWhen): string {
  const text = conditionText(condition);
  return typeof condition === 'object' && (condition.kind === 'and' || condition.kind === 'or') ? `(${text})` : text;
}

function testText(test: ValueTest): string {
  switch (test.test) {
    case 'equals':
      return `= ${shown(test.value)}`;
    case 'oneOf': {
      const rest = test.values.length - LISTED;
      return `in ${test.values.slice(0, LISTED).map(shown).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
    }
    case 'between':
      return `from ${shown(test.min)} to ${shown(test.max)}`;
    case 'greaterThan':
      return `> ${shown(test.bound)}`;
    case 'lessThan':
      return `< ${shown(test.bound)}`;
    case 'exists':
      return 'exists';
    case 'pattern':
      return `matches ${String(test.regex)}`;
  }
}

function shown(value: Scalar): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'string') return String(value);
  return `'${value.length > 32 ? `${value.slice(0, 32)}…` : value}'`;
}
