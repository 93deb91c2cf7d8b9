import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long whatever their size, the longest first; the rest is sorted as always. Some of them mostly wait, as the contracts
 * of connectors do, and stand beside others that work.
 */
export const LONGEST: readonly string[] = [
  'test/integration/kafka.contract.test.ts',
  'test/integration/amqp.contract.test.ts',
  'test/integration/kafka-platformatic.contract.test.ts',
  'test/integration/mqtt.contract.test.ts',
  'test/integration/kafka.outage.test.ts',
  'test/integration/kafka.chaos.test.ts',
  'test/integration/amqp.chaos.test.ts',
  'test/integration/mqtt.chaos.test.ts',
  'test/integration/kafka.kill.test.ts',
  'test/integration/kafka.tokens.test.ts',
  'test/integration/amqp.test.ts',
  'test/integration/amqp.processes.test.ts',
  'test/integration/brokers.outage.test.ts',
  'test/integration/kafka.scale.test.ts',
  'test/heavy/websocket-broadcast.test.ts',
  'test/heavy/memory-seeds.test.ts',
  'test/heavy/conformance-long.test.ts',
  'test/contract/file.contract.test.ts',
  'test/contract/memory.contract.test.ts',
  'test/testing/connector-suite.test.ts',
  'test/contract/websocket.contract.test.ts',
  'test/examples/orders-hub.test.ts',
  'test/sources/mqtt.test.ts',
  'test/testing/broken-connectors.test.ts',
  'test/contract/websocket-server.contract.test.ts',
  'test/properties/bad-connections.test.ts',
];

/**
 * Starts what takes long before the rest. Without it a fresh checkout goes by size, and one worker is still busy for minutes with the
 * last file while the others have nothing to do.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => groupOf(one) - groupOf(other) || rankOf(one) - rankOf(other));
  }
}

const groupOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}`));
  return rank === -1 ? LONGEST.length : rank;
}
