// Alarms of sensors over MQTT: needs a broker at MQTT_URL and mqtt, and takes the broker in memory where there is none.
import { EMPTY, filter, firstValueFrom, of, take } from 'rxjs';
import { decode, each, encode, fromAsyncIterable, json, memoryBroker, memorySink, memorySource } from 'sluice';
import { run, type Flow, type Running, type Sink } from 'sluice';
import { mqttLink, mqttSink, mqttSource } from 'sluice/mqtt';

type Ends = { from(topic: string): Flow<Uint8Array>; to(topic: string): Sink<Uint8Array> };

function overMqtt(url: string): Ends {
  const link = mqttLink({ url, clientId: 'example' }); // names the sessions: what is sent while a source is away waits for it
  return {
    from: (topics) => mqttSource(link, { topics, name: topics.replaceAll('/', '-'), credit: 16 }),
    to: (topic) => mqttSink(link, { topic }), // acks what the broker confirmed
  };
}

function inMemory(): Ends {
  const broker = memoryBroker();
  return { from: (topic) => memorySource(broker, { topic }), to: (topic) => memorySink(broker, { topic }) };
}

const url = process.env['MQTT_URL'];
const { from, to } = url === undefined ? inMemory() : overMqtt(url);

// The broker keeps nothing for who has never been subscribed: at the first start the readers have to be there first.
const isConnected = (running: Running) =>
  firstValueFrom(running.health$.pipe(filter(({ sources }) => sources.every(({ status }) => status === 'connected'))));

const watching = run(
  from('example/readings').pipe(
    decode(json<{ readonly sensor: string; readonly celsius: number }>()),
    each(({ sensor, celsius }) => (celsius > 90 ? of(`${sensor} has ${celsius} °C`) : EMPTY)),
    encode(json()),
  ),
  to('example/alarms'),
);
const printing = run(
  from('example/alarms').pipe(
    take(2), // so that this program ends
    decode(json<string>()),
    each((text) => console.log(text)), // gives nothing, so that no sink is needed
  ),
);
await Promise.all([isConnected(watching), isConnected(printing)]);

const readings = [
  { sensor: 'boiler', celsius: 95 },
  { sensor: 'hall', celsius: 21 },
  { sensor: 'turbine', celsius: 102 },
];
await run(fromAsyncIterable(readings).pipe(encode(json())), to('example/readings')).done;
await printing.done;
console.log(`clean: ${(await watching.stop()).clean}`);

// Output:
// boiler has 95 °C
// turbine has 102 °C
// clean: true
