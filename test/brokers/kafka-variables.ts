import type { KafkaSettings } from './kafka-settings.js';

/** Settings as the image of Kafka wants them: as variables, whose names have neither dots nor dashes. */
export function kafkaVariables(settings: KafkaSettings): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [variable(name), String(value)]));
}

function variable(name: string): string {
  const plain = name.replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_');
  return `KAFKA_${plain.toUpperCase()}`;
}
