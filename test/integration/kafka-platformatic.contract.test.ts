import { kafkaContract } from './kafka-contract.js';

kafkaContract('@platformatic/kafka');
