export {
  kafkaLink,
  type KafkaDriverName,
  type KafkaLink,
  type KafkaLinkOptions,
  type KafkaSasl,
  type KafkaTls,
} from '../links/kafka.js';
export type { KafkaMeta } from '../links/kafka-message.js';
export { kafkaSink, type KafkaSinkOptions } from '../sinks/kafka.js';
export { kafkaSource, type KafkaSourceOptions } from '../sources/kafka.js';
export type { KafkaRetryTopic } from '../sources/kafka-elsewhere.js';
export type { KafkaFrom } from '../sources/kafka-start.js';
