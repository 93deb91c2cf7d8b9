import process from 'node:process';
import type { KafkaDriverName } from 'sluice/kafka';

export const KAFKA_DRIVERS: readonly KafkaDriverName[] = ['kafkajs', '@platformatic/kafka'];

/** The long runs are over both in `npm run chaos` alone: the conformance suite says what there is to say of the second one. */
export const LONG_RUN_DRIVERS = process.env['CHAOS_ROUNDS'] === undefined ? KAFKA_DRIVERS.slice(0, 1) : KAFKA_DRIVERS;
