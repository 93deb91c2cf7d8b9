/**
 * What blocks of code in pages and docstrings use without saying where it comes from: the application around them. What a
 * library brings does not belong here: a block that needs it imports it.
 */
import type { Flow, MemoryBroker, Message, Running, Sink, SourceOptions, StandardSchemaV1 } from 'sluice';
import type { Link, SinkOptions } from 'sluice/connection';
import type { Harness } from 'sluice/testing';
import type { FaultProxy } from 'sluice/testing-node';
import type { WebSocketServerClient } from 'sluice/websocket-server';

export interface Order {
  readonly id: string;
  readonly price: number;
  readonly quantity: number;
  readonly amount: number;
}
export interface Bill {
  readonly id: string;
  readonly amount: number;
}
export declare const orderSchema: StandardSchemaV1<unknown, Order>;

export declare const broker: MemoryBroker;
export declare const raw: Flow<Uint8Array>;
export declare const orders: Flow<Order>;
export declare const bills: Flow<Bill>;
export declare const ticks: Flow<string>;
export declare const bill: (order: Order) => Bill;
export declare const billing: Sink<Bill>;
export declare const audit: Sink<Order>;
export declare const reviews: Sink<Order>;
export declare const running: Running;

export declare const message: Message<Order>;
export declare const first: Message<Order>;
export declare const second: Message<Order>;
export declare const rows: Message<readonly Order[]>;
export declare const error: unknown;

/** A file as a whole, a part of it, and how far an earlier run came. */
export declare const body: Uint8Array;
export declare const chunk: Uint8Array;
export declare const saved: { readonly nextOffset: number; readonly line: number };
export declare const handle: (value: unknown, nextOffset?: number) => void;
export declare const bury: (bytes: Uint8Array, reason: Error) => void;
export declare const store: (value: unknown) => Promise<void>;
/** Threads that compute. */
export declare const pool: { run(order: Order): Promise<Bill> };

export declare const token: () => string;
export declare const verify: (
  authorization: string | undefined,
) => Promise<{ readonly sub: string; readonly exp: number } | undefined>;
export declare const wants: (client: WebSocketServerClient, topic: string) => boolean;

/** A connector that somebody tests. */
export declare const harness: Harness;
export declare const startRedis: () => Promise<{
  readonly link: Link<unknown>;
  readonly proxy: FaultProxy;
  stop(): Promise<void>;
}>;
export declare const redisSource: (
  link: Link<unknown>,
  options: SourceOptions & { stream: string },
) => Flow<Uint8Array>;
export declare const redisSink: (link: Link<unknown>, options: SinkOptions & { stream: string }) => Sink<Uint8Array>;
