import type { Message } from '../message/message.js';
import type { TopicSyntax } from './topic-pattern.js';

/**
 * What a value of a message can be compared with.
 *
 * @see equals
 */
export type Scalar = string | number | boolean | bigint | null;

/**
 * What can be smaller or greater. Values of another type than the bound never match; bigint and number are one type.
 *
 * @see between
 */
export type Ordered = string | number | bigint;

/**
 * What a header, a field or the key has to be. Plain data, so that rules can be listed, drawn, checked and indexed.
 *
 * @see equals
 * @see oneOf
 */
export type ValueTest =
  | { readonly test: 'equals'; readonly value: Scalar }
  | { readonly test: 'oneOf'; readonly values: readonly Scalar[] }
  | { readonly test: 'between'; readonly min: Ordered; readonly max: Ordered }
  | { readonly test: 'greaterThan'; readonly bound: Ordered }
  | { readonly test: 'lessThan'; readonly bound: Ordered }
  | { readonly test: 'exists' }
  /** Holds a RegExp on purpose: text that was loaded from somewhere cannot become one. */
  | { readonly test: 'pattern'; readonly regex: RegExp };

/**
 * The message's topic matches a pattern.
 *
 * @see topic
 */
export interface TopicMatcher {
  readonly kind: 'topic';
  readonly pattern: string;
  /** Default `mqtt`. */
  readonly syntax?: TopicSyntax;
}

/**
 * A header passes a test.
 *
 * @see header
 */
export interface HeaderMatcher {
  readonly kind: 'header';
  readonly name: string;
  readonly test: ValueTest;
}

/**
 * A field of the payload passes a test.
 *
 * @see field
 */
export interface FieldMatcher {
  readonly kind: 'field';
  readonly path: string;
  readonly test: ValueTest;
}

/**
 * The message's key passes a test.
 *
 * @see key
 */
export interface KeyMatcher {
  readonly kind: 'key';
  readonly test: ValueTest;
}

/**
 * All conditions match.
 *
 * @see and
 */
export interface AndMatcher<I> {
  readonly kind: 'and';
  readonly all: readonly Condition<I>[];
}

/**
 * At least one condition matches.
 *
 * @see or
 */
export interface OrMatcher<I> {
  readonly kind: 'or';
  readonly any: readonly Condition<I>[];
}

/**
 * The condition does not match.
 *
 * @see not
 */
export interface NotMatcher<I> {
  readonly kind: 'not';
  readonly condition: Condition<I>;
}

/**
 * Two messages, one after the other. It stands alone: other conditions go into its steps.
 *
 * @see sequence
 */
export interface SequenceMatcher<I> {
  readonly kind: 'sequence';
  readonly first: Condition<I>;
  readonly second: Condition<I>;
  readonly withinMs: number;
  readonly maxKeys: number;
  readonly keyOf?: (message: Message<I>) => string | undefined;
}

/**
 * A condition as data. A payload type is asked for only where functions take part.
 *
 * @see topic
 * @see field
 */
export type Matcher<I = unknown> =
  | TopicMatcher
  | HeaderMatcher
  | FieldMatcher
  | KeyMatcher
  | AndMatcher<I>
  | OrMatcher<I>
  | NotMatcher<I>;

/**
 * A matcher, or a function that looks at the message. A function must be pure: it is not called when a rule above it
 * decided already, and it cannot be indexed. One that throws nacks its message.
 *
 * @see and
 */
export type Condition<I = unknown> = Matcher<I> | ((message: Message<I>) => boolean);

/**
 * What a rule's `when` can be.
 *
 * @see Rule
 */
export type When<I = unknown> = Condition<I> | SequenceMatcher<I>;

/** A condition on messages of whatever payload, as the router itself holds it. @internal */
export type AnyCondition = Condition<never>;

/** @internal */
export type AnyWhen = When<never>;
