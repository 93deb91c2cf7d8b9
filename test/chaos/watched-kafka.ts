import type { KafkaDriver, KafkaOffset, KafkaPartitionName } from '../../src/links/kafka-driver.js';

/** What members of groups are heard to say to a cluster, and are told by it. */
export interface KafkaWatch {
  /** The group has this from now on. */
  committed(offset: KafkaOffset): void;
  /**
   * The partitions of the member from now on; none when it has left. Unless it is continuous, somebody else may have had
   * those in between that it had before.
   */
  assigned(partitions: readonly KafkaPartitionName[], isContinuous: boolean): void;
}

/** The same driver, overheard. */
export function watchedKafka(driver: KafkaDriver, watch: KafkaWatch): KafkaDriver {
  /** Who was given partitions last. The end of another one, which it replaced, takes nothing from it. */
  let owner: symbol | undefined;
  return {
    async connect(cluster, events) {
      const client = await driver.connect(cluster, events);
      return {
        ...client,
        async consumer(plan, told) {
          const self = Symbol();
          const inner = await client.consumer(plan, {
            lost: (error) => told.lost(error),
            alive: () => told.alive(),
            revoking: () => told.revoking(),
            fetched: (fetched) => told.fetched(fetched),
            async assigned(partitions, isContinuous) {
              owner = self;
              // What is read of them comes behind this.
              watch.assigned(partitions, isContinuous);
              await told.assigned(partitions, isContinuous);
            },
          });
          return {
            get member() {
              return inner.member;
            },
            async commit(offsets) {
              await inner.commit(offsets);
              for (const offset of offsets) watch.committed(offset);
            },
            pause: (at) => inner.pause(at),
            resume: (at) => inner.resume(at),
            seek: (at, offset) => inner.seek(at, offset),
            position: (at) => inner.position(at),
            async close() {
              if (owner === self) watch.assigned([], false);
              await inner.close();
            },
          };
        },
      };
    },
  };
}
