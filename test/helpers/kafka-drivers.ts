import process from 'node:process';
import type { KafkaDriverName } from 'sluice/kafka';

export const KAFKA_DRIVERS: readonly KafkaDriverName[] = ['kafkajs', '@platformatic/kafka'];

/** Where a run takes minutes it is over both in `npm run chaos` alone: the shorter ones say what there is to say of the second. */
export const LONG_RUN_DRIVERS = process.env['CHAOS_ROUNDS'] === undefined ? KAFKA_DRIVERS.slice(0, 1) : KAFKA_DRIVERS;
