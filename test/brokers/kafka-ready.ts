import { Kafka, logLevel } from 'kafkajs';

/** Resolves when the Kafka on a port serves clients. */
export async function kafkaReady(port: number): Promise<void> {
  const client = new Kafka({ brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING, retry: { retries: 0 } });
  const admin = client.admin();
  try {
    await admin.connect();
    const { brokers } = await admin.describeCluster();
    if (brokers.length === 0) throw new Error('Kafka has no broker yet.');
  } finally {
    await admin.disconnect();
  }
}
