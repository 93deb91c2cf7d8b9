// Names become greetings: a source, a stage and a sink over the broker in memory. Needs nothing.
import { take } from 'rxjs';
import { each, memoryBroker, memorySink, memorySource, run } from 'sluice';

const broker = memoryBroker();

const greeter = run(
  memorySource<string>(broker, { topic: 'names' }).pipe(
    take(2), // an end, so that `done` resolves
    each(async (name) => `Hello, ${name}!`),
  ),
  memorySink(broker, { topic: 'greetings' }), // acks a name once its greeting is with the broker
);

// A sink is an Observer that settles what it gets, so a few lines of yours are one too.
memorySource<string>(broker, { topic: 'greetings' }).subscribe((message) => {
  console.log(`${message.topic}: ${message.payload}`);
  message.ack();
});

broker.publish({ topic: 'names', payload: 'Ada' });
broker.publish({ topic: 'names', payload: 'Grace' });
await greeter.done;

// Output:
// greetings: Hello, Ada!
// greetings: Hello, Grace!
