import { Subject } from 'rxjs';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { backoff, encode, messages, observe, run, text, type SluiceEvent } from 'sluice';
import { kafkaLink, kafkaSink, kafkaSource, type KafkaLink } from 'sluice/kafka';
import { brokerSuite } from '../brokers/broker-suite.js';
import { kafka } from '../brokers/kafka.js';
import { bearerToken } from '../brokers/kafka-bearer.js';
import { collect } from '../helpers/collect.js';
import { makeTopic } from '../helpers/kafka-admin.js';
import { KAFKA_DRIVERS } from '../helpers/kafka-drivers.js';
import { until } from '../helpers/until.js';

const TOKEN_MS = 3_000;

brokerSuite('Kafka with tokens', kafka, (broker) => {
  beforeEach((context) => {
    if (broker().bearer === undefined) context.skip(`${broker().how}: it takes no tokens`);
  });

  // Each client renews a login in a way of its own.
  describe.each(KAFKA_DRIVERS)('over %s', (driver) => {
    const linkOf = (url: string, token: () => string): KafkaLink =>
      kafkaLink({
        driver,
        brokers: [url],
        sasl: { mechanism: 'oauthbearer', token },
        heartbeatMs: 1_000,
        reconnect: backoff({ initialMs: 20, maxMs: 100, minMs: 5 }),
      });
    const failures = (): SluiceEvent[] => {
      const told: SluiceEvent[] = [];
      onTestFinished(observe((event) => void (event.type === 'connect.failed' && told.push(event))));
      return told;
    };

    /** Writes a number and waits until it has come round, again and again; gives how many times it was done. */
    async function goRound(topic: string, link: KafkaLink, forMs: number): Promise<number> {
      const source = kafkaSource(link, { topics: [topic], group: topic });
      const { payloads, errors, subscription } = collect(source, (message) => void message.ack());
      const came = (): Set<string> => new Set(payloads.map((payload) => String(Buffer.from(payload ?? []))));
      const numbers = new Subject<string>();
      const writing = run(numbers.pipe(messages({ overflow: 'close' }), encode(text())), kafkaSink(link, { topic }));
      const endMs = performance.now() + forMs;
      let sent = 0;
      while (performance.now() < endMs) {
        numbers.next(String((sent += 1)));
        await until(() => expect([came().size, errors]).toEqual([sent, []]));
      }
      numbers.complete();
      await writing.done;
      subscription.unsubscribe();
      return sent;
    }

    it('logs in anew before each token ends, and loses neither a connection nor a message (REC-11)', async () => {
      const topic = `fresh-${driver.length}`;
      await makeTopic(broker(), topic, 1);
      await makeTopic(broker(), `${topic}-before`, 1);
      // A broker that has just begun may send the first group away.
      await goRound(
        topic,
        linkOf(broker().bearer!, () => bearerToken(60_000)),
        1,
      );
      const failed = failures();
      let given = 0;
      const link = linkOf(broker().bearer!, () => {
        given += 1;
        return bearerToken(TOKEN_MS);
      });
      expect(await goRound(topic, link, 4 * TOKEN_MS)).toBeGreaterThan(10);
      // Each of its connections, and not once a request.
      expect(given).toBeGreaterThanOrEqual(10);
      expect(given).toBeLessThan(60);
      expect(failed).toEqual([]);
    });

    it('goes on behind tokens that are kept to their very end, and a time without one (REC-11)', async () => {
      const topic = `kept-${driver.length}`;
      await makeTopic(broker(), topic, 1);
      let kept = { token: '', endsMs: 0 };
      let asked = 0;
      const link = linkOf(broker().bearer!, () => {
        if ((asked += 1) === 8) throw new Error('None just now.');
        if (Date.now() >= kept.endsMs) kept = { token: bearerToken(TOKEN_MS), endsMs: Date.now() + TOKEN_MS };
        return kept.token;
      });
      expect(await goRound(topic, link, 3 * TOKEN_MS)).toBeGreaterThan(10);
      expect(asked).toBeGreaterThan(8);
    });

    it('ends with AUTH_FAILED once there is no good token, and shows none (REC-11, ERR-05)', async () => {
      const topic = `over-${driver.length}`;
      await makeTopic(broker(), topic, 1);
      const failed = failures();
      const over = bearerToken(-TOKEN_MS);
      let given = 0;
      const link = linkOf(broker().bearer!, () => ((given += 1) < 8 ? bearerToken(TOKEN_MS) : over));
      const { errors } = collect(kafkaSource(link, { topics: [topic], group: topic }));
      await until(() => expect(errors).toMatchObject([{ code: 'AUTH_FAILED' }]));
      expect(JSON.stringify([errors, failed])).not.toContain(over);
    });

    it('says that nobody asks for a login where it knocks', async () => {
      const topic = `open-${driver.length}`;
      const link = linkOf(broker().url, () => bearerToken(TOKEN_MS));
      const { errors } = collect(kafkaSource(link, { topics: [topic], group: topic }));
      await until(() => expect(errors).toMatchObject([{ code: 'AUTH_FAILED' }]));
      expect(String(errors)).toContain("leave out 'sasl'");
    });
  });
});
