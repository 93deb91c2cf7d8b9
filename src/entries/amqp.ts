export { amqpLink, type AmqpLink, type AmqpLinkOptions, type AmqpRole, type AmqpTls } from '../links/amqp.js';
export type { AmqpMeta } from '../links/amqp-message.js';
export type { AmqpArguments, AmqpBinding, AmqpExchange, AmqpQueue, AmqpTopology } from '../links/amqp-topology.js';
export { amqpSink, type AmqpSinkOptions } from '../sinks/amqp.js';
export { amqpSource, type AmqpSourceOptions } from '../sources/amqp.js';
