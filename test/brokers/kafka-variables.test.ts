import { expect, it } from 'vitest';
import { kafkaVariables } from './kafka-variables.js';

it('has neither dots nor dashes in its names, and tells them apart', () => {
  expect(
    kafkaVariables({
      'node.id': 1,
      'listener.name.secured.scram-sha-256.sasl.jaas.config': 'Module required user_alice="wonderland";',
      'a_b.c': 'x',
    }),
  ).toEqual({
    KAFKA_NODE_ID: '1',
    KAFKA_LISTENER_NAME_SECURED_SCRAM___SHA___256_SASL_JAAS_CONFIG: 'Module required user_alice="wonderland";',
    KAFKA_A__B_C: 'x',
  });
});
