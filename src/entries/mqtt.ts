export { mqttLink, type MqttLink } from '../links/mqtt.js';
export type { MqttLinkOptions, MqttTls, MqttWill } from '../links/mqtt-options.js';
export type { MqttMeta } from '../links/mqtt-message.js';
export { mqttSink, type MqttSinkOptions } from '../sinks/mqtt.js';
export { mqttSource, type MqttSourceOptions } from '../sources/mqtt.js';
