import process from 'node:process';
import type { KafkaDriverName } from 'sluice/kafka';

/** The long runs are over both. Otherwise the conformance suite says what there is to say of the second one. */
export const KAFKA_DRIVERS: readonly KafkaDriverName[] =
  process.env['CHAOS_ROUNDS'] === undefined ? ['kafkajs'] : ['kafkajs', '@platformatic/kafka'];
