import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from './find-command.js';

const POM = new URL('./kafka.pom.xml', import.meta.url);

/** What it takes to run a real Kafka. */
export interface KafkaClasses {
  readonly how: string;
  readonly java: string;
  /** Java's class path. */
  readonly path: string;
  /** What Java made of the classes when it read them last, where that was kept. */
  readonly archive: string | undefined;
}

/** Java, and the jars of `KAFKA_HOME` or those that `npm run brokers:install` has brought; or in words why there are none. */
export function kafkaClasses(): KafkaClasses | string {
  const java = findCommand(
    ...(process.env['JAVA_HOME'] === undefined ? [] : [`${process.env['JAVA_HOME']}/bin/java`]),
    'java',
  );
  if (java === undefined) return 'java is not installed';
  const home = process.env['KAFKA_HOME'];
  const jars = home === undefined ? brought() : join(home, 'libs');
  if (!hasJars(jars))
    return home === undefined ? 'the jars of Kafka are not installed' : 'KAFKA_HOME has no libs/*.jar';
  const archive = join(jars, 'classes.jsa');
  return {
    how: home === undefined ? 'installed' : 'that of KAFKA_HOME',
    java,
    path: join(jars, '*'),
    archive: existsSync(archive) ? archive : undefined,
  };
}

/** Where `scripts/install-brokers.sh` puts them: outside of the project, once for all its copies. */
function brought(): string {
  const version = /<kafka\.version>(.+)<\/kafka\.version>/.exec(readFileSync(POM, 'utf8'))?.[1] ?? '';
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'sluice', `kafka-${version}`);
}

function hasJars(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => /^kafka_.*\.jar$/.test(name));
  } catch {
    return false;
  }
}
